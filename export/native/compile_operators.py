"""C++ sources of the operators, and the flags to compile them with."""

from functools import cache
from pathlib import Path

from export.operators.operator_table import OP_VERSION
from zoo.native.compiler import processor
from zoo.native.sources import Sources

SOURCES = Path(__file__).parent / "cpp"
# -ffast-math is out: linked in, it would switch the whole process to flushing denormal numbers to zero. Contraction is
# off, so that only the explicit multiply-adds are fused and the tail of an array rounds as its body does.
COMMON = (
    *("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
)
_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
_PLAIN = ("portable", "dispatch", "parameters", "ranges")
_ONNX_RUNTIME = ("node", "registration", "library")
# Sources beyond those, by processor, each with flags of its own; which of them runs is settled when it runs.
_PROCESSORS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {"avx2": _AVX2, "avx512": _AVX512, "vbmi": (*_AVX512, "-mavx512vbmi")},
    "aarch64": {"neon": ()},
}


def units(machine: str, with_runtime: bool = True) -> dict[str, tuple[str, ...]]:
    """The C++ sources for a processor, without ".cpp", each with its flags.

    Args:
        machine: as `processor` gives it; one that is not known gets the portable kernels only.
        with_runtime: also what talks to ONNX Runtime; the kernels alone need not.
    """
    plain = (*_PLAIN, *(_ONNX_RUNTIME if with_runtime else ()))
    own = _PROCESSORS.get(machine, {})
    return dict.fromkeys(plain, COMMON) | {name: (*COMMON, *flags) for name, flags in own.items()}


@cache
def operator_sources(machine: str = "") -> Sources:
    """The operators' library for a processor, as `processor` calls it; by default this machine's."""
    return Sources(
        what="The salu_zoo operators",
        instead="use a target without custom operators",
        folder=SOURCES,
        units=units(machine or processor()),
        file="libsalu_zoo.so",
        version=OP_VERSION,
    )

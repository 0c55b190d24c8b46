"""The compiled kernels: for which processors, how they are called, and on whose threads they run."""

import ctypes
import functools
import sys
from pathlib import Path

import torch

from zoo.errors import NativeError
from zoo.native.cache import library
from zoo.native.compiler import processor
from zoo.native.sources import Sources

# Contraction is off, so that only the explicit multiply-adds are fused: every compiler rounds alike. -ffast-math is
# out: linked in, it would switch the whole process to flushing denormal numbers to zero.
_COMMON = (
    *("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
)
_AVX2 = ("-mavx2", "-mfma", "-mf16c")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
_FLAGS = {"AVX512": _AVX512, "AVX2": _AVX2, "NEON": ()}
"""By the widest vectors that torch itself uses here."""
INSTRUCTIONS = {"x86_64": ("AVX2", "AVX512"), "aarch64": ("NEON",)}
"""Those that there are kernels for, by processor."""

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""In the order in which the library counts them."""

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_POINTWISE = {
    "salu_zoo_forward": (_INT, _INT, *[_POINTER] * 3, _SIZE, _POINTER, _SIZE, _POINTER),
    "salu_zoo_backward": (_INT, _INT, *[_POINTER] * 5, _SIZE, _POINTER, _POINTER, _SIZE, _POINTER),
}
_CHANNELWISE = ("salu_zoo_fles", "salu_zoo_fles_backward", "salu_zoo_positive_sums", "salu_zoo_positive_shares")

_SHARED = 2**15
"""Elements from which on threads share the work, as in torch: below, waking them costs more than it saves."""


def vectors() -> str | None:
    """The widest vectors the kernels use here, or None where they have none for this processor."""
    known = INSTRUCTIONS.get(processor(), ())
    capability = "NEON" if "NEON" in known else torch.backends.cpu.get_cpu_capability()
    return capability if capability in known else None


def sources(instructions: str) -> Sources:
    """Return the sources and flags of the library for "AVX512", "AVX2" or "NEON"."""
    flags = (*_COMMON, *_FLAGS[instructions])
    return Sources(
        what="The CPU kernels",
        instead='use the plain definitions: zoo.activations.kernel("plain")',
        folder=Path(__file__).parent / "cpp",
        units={"pointwise": flags, "channels": flags},
        file=f"libsalu_zoo_kernels_{instructions.lower()}.so",
    )


@functools.cache
def available() -> str | None:
    """None where the kernels run, else the reason, for messages; the first call ever may compile them.

    They need x86-64 with AVX2 or 64-bit ARM, and a library that the wheel brought or that was compiled before, or else
    Linux or macOS with a C++ compiler and a cache that can be written.
    """
    try:
        kernels()
    except NativeError as error:
        return str(error).rstrip(".")
    return None


@functools.cache
def kernels() -> ctypes.CDLL:
    """The library, as the wheel brought it or compiled by the first call ever, which takes some seconds.

    Raises:
        NativeError: there is none for this machine, it cannot be compiled, or it does not load.
    """
    instructions = vectors()
    if instructions is None or sys.byteorder != "little":
        found = (
            f"{sys.byteorder}-endian {processor()} with torch's capability {torch.backends.cpu.get_cpu_capability()}"
        )
        raise NativeError(f"The CPU kernels are for x86-64 with AVX2 and 64-bit ARM, little-endian; this is {found}.")
    return load(instructions)


def load(instructions: str) -> ctypes.CDLL:
    """The library for these instructions, with the types of its functions.

    Raises:
        NativeError: it cannot be compiled, or does not load.
    """
    loaded = library(sources(instructions)).load()
    for name, types in _POINTWISE.items():
        getattr(loaded, name).argtypes = types
    for name in _CHANNELWISE:
        getattr(loaded, name).argtypes = (_INT, _POINTER, _SIZE, _POINTER)
    for name in (*_POINTWISE, *_CHANNELWISE):
        getattr(loaded, name).restype = None
    return loaded


def threads(size: int) -> tuple[int, int | None]:
    """Choose the number of threads for this many elements, and the function that starts them.

    The threads are torch's: as many as `torch.get_num_threads()` says, from the OpenMP runtime that torch is linked
    with. Where torch has none, as some builds for macOS, the kernels run on one.
    """
    count = torch.get_num_threads()
    return (1, None) if count == 1 or size < _SHARED else (count, _team())


@functools.cache
def _team() -> int | None:
    """The address of GOMP_parallel as libtorch_cpu sees it; every OpenMP runtime for C exports it."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            return ctypes.cast(ctypes.CDLL(str(path)).GOMP_parallel, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
    return None

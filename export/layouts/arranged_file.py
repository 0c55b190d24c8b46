"""A file in the layout this machine computes in: arranged once, compared with the file itself, kept and found again."""

import hashlib
import json
import platform
import warnings
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.errors import BlockedLayoutError
from export.layouts.means import MAX_GAP, gaps, shown, taken
from export.layouts.optimised import optimised, uses_operators
from export.native import library, register
from zoo.errors import OutputError
from zoo.files import write_together
from zoo.native import NativeLibrary, private_folder

# float32 in another order of summation; a misplaced operator is off by 1e-2 and more.
MAX_REL = 1e-5
_BATCH = 2
# What reading a graph that is not as we write ours raises: one of somebody else's may run and still not be arranged.
_NOT_ARRANGED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
Array: TypeAlias = NDArray[Any]


class BlockedLayoutWarning(UserWarning):
    """A file runs without the blocked layout, or its arrangement could not be kept."""


def arranged_for_this_machine(file: bytes, operators: NativeLibrary) -> bytes | None:
    """A file with our operators in ONNX Runtime's blocked or, on uint8, integer layout; None to run it as it is.

    It is arranged on first use and kept in the cache beside the compiled operators, under a name made from the file,
    the release of ONNX Runtime, the processor and the operators; what is kept for another machine is therefore not
    found. That there is nothing to arrange is kept too. Before an arrangement is kept its outputs on random input are
    compared with those of the file itself, given the same means of FleS; see `export.layouts.means`.

    Args:
        file: an ONNX file with operators of ours.
        operators: what computes them.

    Returns:
        The arranged file, to be opened with optimisation off. None where no convolution is kept in that layout, and,
        with a `BlockedLayoutWarning`, where the arrangement fails or computes something else.

    Raises:
        Exception: of ONNX Runtime, where it does not load the file itself.
    """
    name = f"{_key(file, operators)}.onnx"
    kept = _read(name)
    if kept is not None:
        return kept or None
    _open(file, optimize=False)  # what is no valid file is said of the file itself
    try:
        found = _arrange(file)
        if found is not None:
            _compare(file, found)
    except (BlockedLayoutError, *_NOT_ARRANGED) as error:
        text = f"The file runs as it is, somewhat slower: {error} (ONNX Runtime {onnxruntime.__version__})."
        warnings.warn(text, BlockedLayoutWarning, stacklevel=3)
        return None
    _keep(name, found or b"")  # nothing is kept where nothing is to be gained, so that the next start knows
    return found


def program(file: bytes, arranged: bool) -> bytes:
    """Build the program that ONNX Runtime makes of a file on this machine's CPU, to be opened with optimisation off.

    Args:
        file: an ONNX file.
        arranged: in this machine's layout, if it has operators of ours; see `arranged_for_this_machine`.
    """
    found = arranged_for_this_machine(file, library()) if arranged and uses_operators(file) else None
    return found or bytes(optimised(file).SerializeToString())


def _arrange(file: bytes) -> bytes | None:
    from export.layouts import blocked, integer  # with onnx_ir, which takes its time and is needed once per file

    return integer.arrange(file) if integer.holds_tables(file) else blocked.arrange(file)


def _key(file: bytes, operators: NativeLibrary) -> str:
    parts = (hashlib.sha256(file).hexdigest(), onnxruntime.__version__, _processor(), operators.sha256)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    """Describe this processor and its features; the layout's block size follows from them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "CPU part", "Features")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))


def _read(name: str) -> bytes | None:
    try:
        place = private_folder("blocked") / name
        record = place.with_suffix(".sha256")
        if not place.is_file() or not record.is_file():
            return None
    except OSError:
        return None  # `_keep` says so
    content = place.read_bytes()
    if hashlib.sha256(content).hexdigest() == record.read_text("utf-8").strip():
        return content
    warnings.warn(f"{place} is damaged; it is made again.", BlockedLayoutWarning, stacklevel=4)
    return None


def _keep(name: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    try:
        place = private_folder("blocked") / name
        write_together(
            {
                place: lambda file: file.write_bytes(content),
                place.with_suffix(".sha256"): lambda file: file.write_text(digest + "\n", encoding="utf-8"),
            }
        )
    except (OSError, OutputError) as error:
        text = f"The arranged file is not kept, so each start arranges it anew: {error} Set SALU_ZOO_CACHE."
        warnings.warn(text, BlockedLayoutWarning, stacklevel=4)


def _compare(file: bytes, arranged: bytes) -> None:
    """Run both on the same random input, the file itself with the means that FleS has in the arranged one."""
    plain, means = taken(file)
    other = _open(shown(arranged, [mean.t for mean in means]), optimize=False)
    random = np.random.default_rng(0)
    shapes = {g.name: [d if isinstance(d, int) else _BATCH for d in g.shape] for g in other.get_inputs()}
    feeds = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    found = _run(other, feeds)
    given = feeds | {mean.t: found.pop(mean.t) for mean in means}
    expected = _run(_open(plain, optimize=True), given) | feeds
    can_be = all((gaps(given[mean.t], expected[mean.x], mean.axis) <= MAX_GAP).all() for mean in means)
    if not can_be or not all(_alike(expected[name], value) for name, value in found.items()):
        raise BlockedLayoutError("in the blocked layout it computes something else")


def _alike(expected: Array, found: Array) -> bool:
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    return expected.shape == found.shape and bool(np.abs(expected - found).max(initial=0.0) <= MAX_REL * scale)


def _run(session: onnxruntime.InferenceSession, feeds: dict[str, Array]) -> dict[str, Array]:  # noqa: TID251
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(np.asarray, session.run(names, feeds)), strict=True))


def _open(file: bytes, optimize: bool) -> onnxruntime.InferenceSession:  # noqa: TID251 the file against itself, on the CPU
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    register(options)
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])  # noqa: TID251

"""A file in the layout this machine computes in: arranged once, compared with the file itself, kept and found again."""

import hashlib
import json
import platform
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.errors import BlockedLayoutError
from export.native import NativeLibrary, register
from zoo._files import write_together
from zoo.errors import OutputError
from zoo.native import cache_folder

# float32 in another order of summation; a misplaced operator is off by 1e-2 and more.
MAX_REL = 1e-5
_BATCH, _DRAWS = 2, 3


class BlockedLayoutWarning(UserWarning):
    """A file runs without the blocked layout, or its arrangement could not be kept."""


def arranged_for_this_machine(file: bytes, library: NativeLibrary) -> bytes | None:
    """A file with our operators in ONNX Runtime's blocked or, on uint8, integer layout; None to run it as it is.

    It is arranged on first use and kept in the cache beside the compiled operators, under a name made from the file,
    the release of ONNX Runtime, the processor and the operators; what is kept for another machine is therefore not
    found. That there is nothing to arrange is kept too. Before an arrangement is kept its outputs on random input are
    compared with those of the file itself.

    Args:
        file: an ONNX file with operators of ours.
        library: what computes them.

    Returns:
        The arranged file, to be opened with optimisation off. None where no convolution is kept in that layout, and,
        with a `BlockedLayoutWarning`, where the arrangement fails or computes something else.
    """
    place = cache_folder().parent / "blocked" / f"{_key(file, library)}.onnx"
    kept = _read(place)
    if kept is not None:
        return kept or None
    try:
        found = _arrange(file)
        if found is not None:
            _compare(file, found)
    except BlockedLayoutError as error:
        text = f"The file runs as it is, somewhat slower: {error} (ONNX Runtime {onnxruntime.__version__})."
        warnings.warn(text, BlockedLayoutWarning, stacklevel=3)
        return None
    _keep(place, found or b"")  # nothing is kept where nothing is to be gained, so that the next start knows
    return found


def _arrange(file: bytes) -> bytes | None:
    from export.runtime import blocked, integer  # with onnx_ir, which takes its time and is needed once per file

    return integer.arrange(file) if integer.holds_tables(file) else blocked.arrange(file)


def _key(file: bytes, library: NativeLibrary) -> str:
    parts = (hashlib.sha256(file).hexdigest(), onnxruntime.__version__, _processor(), library.sha256)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    """What this processor is and can do; the layout's block size follows from it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "CPU part", "Features")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))


def _read(place: Path) -> bytes | None:
    record = place.with_suffix(".sha256")
    if not place.is_file() or not record.is_file():
        return None
    content = place.read_bytes()
    if hashlib.sha256(content).hexdigest() == record.read_text("utf-8").strip():
        return content
    warnings.warn(f"{place} is damaged; it is made again.", BlockedLayoutWarning, stacklevel=4)
    return None


def _keep(place: Path, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
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
    # FleS's mean jumps where rounding moves an element over zero, so a draw may differ; a wrong graph always does.
    draws = range(_DRAWS)
    pairs = zip(_run(file, True, draws), _run(arranged, False, draws), strict=True)
    if not any(_alike(expected, found) for expected, found in pairs):
        raise BlockedLayoutError("in the blocked layout it computes something else")


def _alike(expected: list[NDArray[np.floating]], found: list[NDArray[np.floating]]) -> bool:
    for a, b in zip(expected, found, strict=True):
        scale = float(np.abs(a).max(initial=0.0)) or 1.0
        if a.shape != b.shape or not np.abs(a - b).max(initial=0.0) <= MAX_REL * scale:
            return False
    return True


def _run(file: bytes, optimize: bool, draws: Iterable[int]) -> Iterator[list[NDArray[np.floating]]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    register(options)
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(  # noqa: TID251 the file against itself, on the CPU
        file, options, providers=["CPUExecutionProvider"]
    )
    shapes = {g.name: [d if isinstance(d, int) else _BATCH for d in g.shape] for g in session.get_inputs()}
    for draw in draws:
        random = np.random.default_rng(draw)
        feeds = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        yield [np.asarray(value) for value in session.run(None, feeds)]

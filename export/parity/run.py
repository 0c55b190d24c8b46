"""Run PyTorch and an ONNX file on the same probes and write down how far apart they are."""

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from export._versions import version_of
from export.errors import ExportError
from export.parity.compare import allowance, compare, failures
from export.parity.locate import first_difference
from export.parity.probes import Probe, extreme_probes, image_probes, load_samples
from export.parity.report import ParityReport, ProbeResult
from export.parity.shipped import default_images
from export.parity.tolerances import ILL_CONDITIONED, TOLERANCES
from export.runtime.session import Session, open_session, run_session
from export.source import Source
from export.targets import ExportTarget

Samples = Tensor | str | Path | Sequence[Any]


def check_parity(
    source: Source,
    file: bytes,
    target: ExportTarget,
    *,
    samples: Samples | None = None,
    limit: int = 64,
    threads: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ParityReport:
    """Compare a serialised ONNX file with the model it came from, on images and on extremes.

    Args:
        source: the model.
        file: the bytes of the file.
        target: gives the precision, hence the tolerances.
        samples: images, see `load_samples`; None uses those of `default_images`.
        limit: use at most so many of them.
        threads: of the runtime's session.
        on_progress: called after each probe with how many are done and how many there are.

    Returns:
        The report, whatever the verdict; the first node that differs is looked for if it is negative, and the report
        says why where that search itself fails.

    Raises:
        DataNotFoundError: `samples` holds no image.
        ShapeError: `samples` is a tensor of another shape.
        ExportError: ONNX Runtime does not load or run the file.
    """
    transform = source.input.transform
    images, described = default_images(transform) if samples is None else load_samples(samples, transform, limit)
    probes = image_probes(images) + extreme_probes(transform)
    session = open_session(file, threads=threads, spin=False)
    exact, without = _in_float64(source.model, probes[0].batch)
    results = []
    for probe in probes:
        results.append(_run(probe, source.model, exact, session, target))
        on_progress(len(results), len(probes))
    bad = next((probe for probe, result in zip(probes, results, strict=True) if result.problems), None)
    return ParityReport(
        model=source.full_name,
        target=target.name,
        precision=target.precision,
        weights_sha256=source.weights_sha256,
        file_sha256=hashlib.sha256(file).hexdigest(),
        samples=described,
        providers=tuple(session.get_providers()),
        versions={
            "salu-zoo": version_of("salu-zoo"),
            "torch": torch.__version__,
            "onnx": version_of("onnx"),
            "onnxruntime": onnxruntime.__version__,
        },
        float64=without,
        first_difference="" if bad is None else _locate(source.model, file, bad, target),
        results=tuple(results),
    )


def _locate(model: nn.Module, file: bytes, bad: Probe, target: ExportTarget) -> str:
    """The first node that differs; whatever stops the search must not hide the verdict it is to explain."""
    try:
        return first_difference(model, file, bad.batch, TOLERANCES[target.precision, bad.kind].max_rel)
    except (ExportError, RuntimeError, MemoryError, ValueError, TypeError, LookupError) as error:
        text = str(error).strip().partition("\n")[0].rstrip(".")
        return f"not found: the search stopped with {type(error).__name__}: {text}"


def _run(
    probe: Probe, model: nn.Module, exact: nn.Module | None, session: Session, target: ExportTarget
) -> ProbeResult:
    with torch.inference_mode(), _full_precision():
        reference = model(probe.batch)
        wide = None if exact is None else exact(probe.batch.double())
    name = session.get_inputs()[0].name
    candidate = torch.from_numpy(run_session(session, {name: probe.batch.numpy()})[0])
    found, limit = compare(reference, candidate, wide), TOLERANCES[target.precision, probe.kind]
    allowed = allowance(found, limit)
    return ProbeResult(
        name=probe.name,
        kind=probe.kind,
        found=found,
        allowed=allowed,
        judged=allowed <= ILL_CONDITIONED,
        problems=failures(found, limit),
    )


def _in_float64(model: nn.Module, batch: Tensor) -> tuple[nn.Module | None, str]:
    """A float64 copy that runs, or None and why not: a module may have float32 written into its forward."""
    wide = copy.deepcopy(model).double()
    try:
        with torch.inference_mode():
            wide(batch.double())
    except RuntimeError as error:
        return None, f"the model does not run in float64: {str(error).splitlines()[0]}"
    return wide, ""


@contextmanager
def _full_precision() -> Iterator[None]:
    """PyTorch may be set to round the inputs of float32 matrix products to TF32 or bfloat16; not for a reference."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

"""Run PyTorch and an ONNX file on the same probes and write down how far apart they are."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.export_target import ExportTarget
from export.inputs.source import Source
from export.inputs.text_input import TextInputSpec
from export.parity.collect import collect
from export.parity.implementations import Sides
from export.parity.invariance import Invariance, InvarianceCheck, Trial
from export.parity.judge import Answers, judge, median_size
from export.parity.locate_difference import first_difference
from export.parity.parity_report import ParityReport
from export.parity.probes import TEXTS, Probe
from export.parity.tolerances import PADDING, SMALLEST_SCALE, TOLERANCES
from export.runtime import openvino_session
from export.runtime.engine import Engine, engine_here
from export.versions import version_of

LIMIT = 64
"""Images or texts of the samples given that are compared."""
Samples = Tensor | str | Path | Sequence[Any] | Mapping[str, Tensor]


def check_parity(
    source: Source,
    file: bytes,
    target: ExportTarget,
    *,
    precision: str = "float32",
    samples: Samples | None = None,
    limit: int = LIMIT,
    threads: int | None = None,
    arranged: bool = True,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ParityReport:
    """Compare a serialised ONNX file with the model it came from, on images or texts and on extremes.

    Of texts it is also checked, in both, that neither padding nor the other texts of a batch change a result.

    Args:
        source: the model.
        file: the bytes of the file.
        target: where the file is to run.
        precision: what it computes in, hence the tolerances.
        samples: images, see `load_samples`, or texts, see `load_texts`; None uses those of this package.
        limit: use at most so many of them.
        threads: of the runtime's session.
        arranged: see `open_session`.
        on_progress: called after each probe with how many are done and how many there are.

    Returns:
        The report, whatever the verdict; the first node that differs is looked for if it is negative, and the report
        says why where that search itself fails.

    Raises:
        DataNotFoundError: `samples` holds no image or text.
        ShapeError: `samples` is a tensor of another shape.
        ConfigurationError: `samples` is of the other kind.
        ExportError: the runtime does not load or run the file.
    """
    engine = engine_here(target, precision)
    collected = collect(source.input, samples, limit)
    probes = collected.probes
    sides = Sides(source.model, file, engine, probes[0].feeds, threads=threads, arranged=arranged, shared=source.shared)
    check = None
    if isinstance(source.input, TextInputSpec):
        check = InvarianceCheck(collected.texts, source.input, sides, TOLERANCES[precision, PADDING])
    total = len(probes) + (0 if check is None else len(check))
    answers: list[Answers] = []
    for probe in probes:
        answers.append(Answers.of(probe, sides))
        on_progress(len(answers), total)
    floor = SMALLEST_SCALE if check is None else median_size(answers)
    results = tuple(judge(a, floor, TOLERANCES[precision, a.probe.kind], source.model) for a in answers)
    invariance: list[Invariance] = []
    for found in () if check is None else check.run(_company(probes), floor):
        invariance.append(found)
        on_progress(len(answers) + len(invariance), total)
    bad = next((probe for probe, result in zip(probes, results, strict=True) if result.problems), None)
    return ParityReport(
        model=source.full_name,
        target=target.name,
        precision=precision,
        weights_sha256=source.weights_sha256,
        file_sha256=hashlib.sha256(file).hexdigest(),
        samples=collected.described,
        providers=tuple(sides.session.get_providers()),
        engine=engine.name,
        not_run=engine.not_run,
        versions=_versions(engine),
        float64=sides.without,
        first_difference="" if bad is None else _locate(source.model, file, bad, engine),
        results=results,
        invariance=tuple(invariance),
    )


def _company(probes: Sequence[Probe]) -> list[Trial]:
    """Each text in its batch, in order."""
    batches = [probe.feeds for probe in probes if probe.kind == TEXTS]
    places = [(feeds, row) for feeds in batches for row in range(len(next(iter(feeds.values()))))]
    return [Trial(i, feeds, row) for i, (feeds, row) in enumerate(places)]


def _versions(engine: Engine) -> dict[str, str]:
    found = {"salu-zoo": version_of("salu-zoo"), "torch": torch.__version__, "onnx": version_of("onnx")}
    ran = {"onnxruntime": onnxruntime.__version__} if engine.providers else {"openvino": openvino_session.version()}
    return found | ran


def _locate(model: nn.Module, file: bytes, bad: Probe, engine: Engine) -> str:
    """The first node that differs; whatever stops the search must not hide the verdict it is to explain."""
    try:
        limit = TOLERANCES[engine.precision, bad.kind].max_rel
        return first_difference(model, file, bad.feeds, limit, engine.open)
    except (ExportError, RuntimeError, MemoryError, ValueError, TypeError, LookupError) as error:
        text = str(error).strip().partition("\n")[0].rstrip(".")
        return f"not found: the search stopped with {type(error).__name__}: {text}"

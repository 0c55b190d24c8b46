"""Models by targets: every file made, proven and dropped, so that one table shows where this package stands."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

import zoo
from export.errors import ParityError
from export.export_target import ExportTarget
from export.inputs.image import InputSpec
from export.inputs.random_weights import seeded, stir
from export.inputs.shared import Shared
from export.inputs.source import Source, read_source
from export.parity.parity_check import Samples
from export.parity.parity_report import ParityReport
from export.parity.probes import EXTREME
from export.parity.shipped import shipped_images
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.quantize.request import ANY_ACCURACY, Int8Request
from export.quantize.work import Int8Work
from export.targets import get_precision, get_target, list_targets
from zoo.data.preprocess import config_of
from zoo.errors import ConfigurationError, ZooError
from zoo.models.build import list_models
from zoo.models.text_models import TEXT_MODELS
from zoo.records import Record
from zoo.weights.locate import list_pretrained

PASSED, SIMULATED, FAILED, NOT_MADE = "passed", "simulated", "failed", "not made"


@dataclass(frozen=True, kw_only=True)
class Cell(Record):
    """One model for one target in one precision.

    Args:
        model: its public name; without a tag the weights are random.
        target: name of the target.
        precision: what the file computes in.
        input: size of the input, in words.
        status: `PASSED`; `SIMULATED`, passed, but in something else than the target names; `FAILED`; or `NOT_MADE`,
            since the target has nothing for such a model.
        max_rel: largest difference of a logit on images or texts, relative to the largest one; None without a file.
        extreme_rel: the same on the extreme inputs that are judged.
        float64_rel: that of the file to PyTorch in float64 on images or texts.
        agreement: share of images or texts with the same first class.
        samples: how many images or texts.
        note: what stood in for the target, or why the file failed or was not made.
    """

    model: str
    target: str
    precision: str
    input: str
    status: str
    max_rel: float | None = None
    extreme_rel: float | None = None
    float64_rel: float | None = None
    agreement: float | None = None
    samples: int = 0
    note: str = ""

    @property
    def column(self) -> str:
        """Target and precision."""
        return f"{self.target} {self.precision}"


def all_models() -> list[str]:
    """Every published checkpoint and every architecture that has none, those for texts last."""
    trained = list_pretrained()
    names = [*list_models(), *TEXT_MODELS.names()]
    return [name for model in names for name in ([t for t in trained if t.partition(".")[0] == model] or [model])]


def check_matrix(
    models: Sequence[str | Path | nn.Module],
    targets: Sequence[str] | None = None,
    *,
    precision: str | None = None,
    samples: Samples | None = None,
    img_size: int | None = None,
    threads: int | None = None,
    on_start: Callable[[str, str, str], None] = lambda _model, _target, _precision: None,
) -> Iterator[Cell]:
    """Export each model for each target and precision, prove the file, and write nothing.

    A model is traced once, and PyTorch computes each batch once.

    Args:
        models: names, folders or modules; see `export`. A model without weights gets random ones; see `stir`.
        targets: names; None means all.
        precision: of the targets that have it; None means every precision of every target.
        samples: as for `export`.
        img_size: as for `export`.
        threads: of the runtimes.
        on_start: called with model, target and precision before each export.

    Yields:
        A `Cell` as soon as it is known.

    Raises:
        TargetError: no such target.
        ConfigurationError: no target has that precision.
        ZooError: a model cannot be created.
    """
    columns = _columns(targets, precision)
    for model in models:
        source = _source(model, img_size)
        for target, name in columns:
            on_start(source.full_name, target.name, name)
            yield _cell(source, target, name, samples, threads)


def _columns(targets: Sequence[str] | None, precision: str | None) -> list[tuple[ExportTarget, str]]:
    chosen = [get_target(name) for name in (targets or list_targets())]
    if precision is None:
        return [(target, name) for target in chosen for name in target.precisions]
    having = [target for target in chosen if precision in target.precisions]
    if not having:
        get_precision(chosen[0], precision)
        raise ConfigurationError("There is no target to check; name one with --target.")
    return [(target, precision) for target in having]


def _source(model: str | Path | nn.Module, img_size: int | None) -> Source:
    architectures = (*list_models(), *TEXT_MODELS.names())
    if isinstance(model, str) and model in architectures and not list_pretrained(model):
        model = _untrained(model, img_size)
    return replace(read_source(model, img_size=img_size), shared=Shared())


def _untrained(model: str, img_size: int | None) -> nn.Module:
    """The same random weights each time; a network with positions for one image size is built for the one asked for."""
    with seeded():
        network = zoo.create_model(model, pretrained=False)
        if img_size is not None and config_of(network).get("fixed_input_size"):
            network = zoo.create_model(model, pretrained=False, img_size=img_size)
    head: Any = network.get_classifier() if hasattr(network, "get_classifier") else None  # type: ignore[operator]
    if isinstance(head, nn.Linear) and head.bias is not None:
        # It would outweigh what a deep untrained network has to say about an image, and so hide differences.
        nn.init.zeros_(head.bias)
    return stir(network)


def _cell(source: Source, target: ExportTarget, precision: str, samples: Samples | None, threads: int | None) -> Cell:
    head: dict[str, Any] = {
        "model": source.full_name, "target": target.name, "precision": precision, "input": source.input.summary()
    }  # fmt: skip
    path = Path(target.file_name(source.full_name, precision))
    job = Job(source=source, target=target, precision=precision, path=path, samples=samples)
    job.threads = threads
    try:
        if precision == "int8":
            request = Int8Request(calibration=shipped_images(), budget=ANY_ACCURACY)
            request.check(precision, source.input)
            job.int8 = Int8Work(request=request)
        for step in make_plan(job).steps:
            if step.name != "write":
                step.run(job)
    except ParityError as error:
        return Cell(**head, status=FAILED, note=str(error))
    except ZooError as error:
        refused = precision == "int8" and not isinstance(source.input, InputSpec)
        return Cell(**head, status=NOT_MADE if refused else FAILED, note=str(error))
    return Cell(**head, **_figures(job.need_parity()))


def _figures(report: ParityReport) -> dict[str, Any]:
    extremes = [r.found.max_rel for r in report.results if r.kind == EXTREME and r.judged]
    return {
        "status": SIMULATED if report.not_run else PASSED,
        "max_rel": report.worst("max_rel", report.kind),
        "extreme_rel": max(extremes, default=None),
        "float64_rel": None if report.float64 else report.worst("max_rel_float64", report.kind),
        "agreement": report.top1_agreement,
        "samples": report.n_samples,
        "note": report.not_run,
    }

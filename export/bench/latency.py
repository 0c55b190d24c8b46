"""Latency of one image or text, PyTorch against an exported file, taken in turns so that both see the same machine."""

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from export.errors import ModelMismatchError, OnnxFileError, ParityError
from export.inputs.image import InputSpec
from export.inputs.input_spec import Feeds, ModelInput
from export.inputs.source import read_source
from export.inputs.text_input import TextInputSpec
from export.parity.parity_report import ParityReport, report_path
from export.runtime.engine import engine_in_file
from export.runtime.predictor import OnnxPredictor, open_predictor
from export.runtime.session import open_session
from zoo.benchmarks.turns import alternate, always
from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError
from zoo.files import sha256_of
from zoo.records import Record

USUAL_TOKENS = 128
"""Length of a text, if nobody says."""


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Milliseconds per run."""

    p50_ms: float
    p90_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Percentiles":
        """From the times of single runs."""
        p50, p90, p99 = (float(value) * 1e3 for value in np.percentile(seconds, (50, 90, 99)))
        return cls(p50_ms=p50, p90_ms=p90, p99_ms=p99)


@dataclass(frozen=True, kw_only=True)
class LatencyResult(Record):
    """Both sides at batch 1, with what is needed to repeat the measurement.

    Args:
        file: name of the ONNX file.
        torch: eager PyTorch, float32, in inference mode.
        onnxruntime: the file; checking the input, copying it in and the logits out are included.
        tokens: length of the text; None for an image.
        runs: timed runs per side.
        threads: threads of either side.
        cpu: what it ran on.
        versions: Python and libraries.
        parity: the one-line summary of the passed check.
    """

    file: str
    torch: Percentiles
    onnxruntime: Percentiles
    tokens: int | None
    runs: int
    threads: int
    cpu: str
    versions: dict[str, str]
    parity: str


def measure_latency(
    file: str | Path,
    model: nn.Module,
    *,
    input_spec: ModelInput | None = None,
    tokens: int | None = None,
    runs: int = 50,
    warmup: int = 10,
    threads: int | None = None,
) -> LatencyResult:
    """Time an exported file and its model at batch 1 on the CPU.

    The two take turns, so ONNX Runtime's threads must not spin while PyTorch runs; neither side gets that advantage.

    Args:
        file: written by `export`, its parity report beside it.
        model: the PyTorch model it came from.
        input_spec: the input of a module that does not describe it itself.
        tokens: length of the text, without padding; None for 128, or the largest number the model takes if that is
            smaller. Images have none.
        runs: timed runs per side; they alternate.
        warmup: runs per side before that.
        threads: for both sides; None means what PyTorch is set to.

    Raises:
        ParityError: the report says the file has not passed.
        ProviderError: what its target names does not run here; nothing is timed in its place.
        ModelMismatchError: the report is about other bytes, or the file about other weights.
        OnnxFileError: the file or its report is missing or damaged.
        ConfigurationError: `tokens` is given for an image model, or more than the model takes.
    """
    report = passed_report(Path(file))
    source = read_source(model, input_spec=input_spec)
    if report.weights_sha256 != source.weights_sha256:
        raise ModelMismatchError(f"{file} was exported from {report.model} with other weights than this model has.")
    count = threads or torch.get_num_threads()
    engine = engine_in_file(file)
    opener = open_session if engine is None else engine.open
    predictor = open_predictor(Path(file), partial(opener, file, threads=count, spin=False))
    feeds = _one(source.input, tokens)
    given: Any = feeds["image"] if isinstance(predictor, OnnxPredictor) else feeds
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with torch.inference_mode():
            sides = (always(lambda: source.model(*feeds.values())), always(lambda: predictor(given)))
            times = alternate(sides, runs, warmup)
        cpu = hardware(torch.device("cpu"))
    finally:
        torch.set_num_threads(before)
    return LatencyResult(
        file=Path(file).name,
        torch=Percentiles.of(times[0]),
        onnxruntime=Percentiles.of(times[1]),
        tokens=None if isinstance(source.input, InputSpec) else feeds["input_ids"].shape[1],
        runs=runs,
        threads=count,
        cpu=cpu,
        versions=library_versions(),
        parity=report.summary(),
    )


def _one(given: ModelInput, tokens: int | None) -> Feeds:
    """One image, or one text of so many tokens."""
    if not isinstance(given, TextInputSpec):
        if tokens is not None:
            raise ConfigurationError(f"tokens={tokens} is for text models; this one takes images.")
        return given.example(1)
    if tokens is not None and not 1 <= tokens <= given.max_length:
        raise ConfigurationError(f"tokens={tokens}: the model takes 1 to {given.max_length}.")
    return given.tokens(1, min(USUAL_TOKENS, given.max_length) if tokens is None else tokens)


def passed_report(file: Path) -> ParityReport:
    """The report beside a file.

    Raises:
        OnnxFileError: the file or its report is missing or damaged.
        ParityError: the file has not passed.
        ModelMismatchError: the report is about other bytes.
    """
    if not file.is_file():
        raise OnnxFileError(f"There is no file {file.absolute()}. Run: zoo export MODEL --output FILE.onnx.")
    report = ParityReport.load(report_path(file))
    if not report.passed:
        raise ParityError(f"{file} has not passed its parity check ({report.summary()}); its speed means nothing.")
    if report.file_sha256 != sha256_of(file):
        raise ModelMismatchError(
            f"The report beside {file} is about other bytes. Export again, or write a new one: "
            f"{shlex.join(['zoo', 'validate', str(file), report.model, '--report', str(report_path(file))])}."
        )
    return report

"""`validate`: hold an exported file against a model, once more."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import onnx
from torch import nn

from export.errors import ModelMismatchError
from export.inputs.image import InputSpec
from export.inputs.input_spec import ModelInput
from export.inputs.shared import Shared
from export.inputs.source import Source, read_source
from export.metadata import FileMetadata
from export.parity.collect import describe_samples
from export.parity.parity_check import Samples, check_parity
from export.parity.parity_report import ParityReport
from export.quantize.measured import Measured
from export.quantize.proof import prove_integers
from export.runtime.open_file import open_here
from export.runtime.predictor import OnnxPredictor, open_predictor
from export.targets import get_precision, get_target
from export.value_types import check_label, stored_in
from zoo.devices import torch_defaults


@torch_defaults("cpu")
def validate(
    file: str | Path,
    model: str | Path | nn.Module,
    *,
    input_spec: ModelInput | None = None,
    samples: Samples | None = None,
    pretrained: bool = True,
    img_size: int | None = None,
    threads: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ParityReport:
    """Repeat the proof of a file written by `export`.

    A float32 graph that is computed more coarsely (TF32, OpenVINO's bfloat16) is proven in float32 first; a file in
    integers is held against what its export measured, see `export.quantize.proof`.

    Args:
        file: the ONNX file.
        model: what it should compute; as for `export`.
        input_spec: as for `export`.
        samples: as for `export`.
        pretrained: as for `export`.
        img_size: as for `export`.
        threads: of the runtime's session.
        on_progress: as for `export`.

    Returns:
        The report; look at `passed`, a disagreement does not raise.

    Raises:
        OnnxFileError: the file is missing, damaged or not one of ours.
        ChangedFileError: it was changed since it was exported, or says that it computes in something else than it does.
        ModelMismatchError: it was exported from another model, other weights, another image size, preprocessing,
            tokenizer, labels or licence.
        ConfigurationError: `samples` is for another kind of model.
        ZooError: the model cannot be created.
    """
    predictor = open_predictor(Path(file), partial(open_here, file, threads=threads))
    source = read_source(model, input_spec=input_spec, pretrained=pretrained, img_size=img_size)
    source = replace(source, shared=Shared())
    describe_samples(source.input, samples)
    size = predictor.input_size if isinstance(predictor, OnnxPredictor) else None
    _check_same(Path(file), predictor.metadata, size, source)
    content = Path(file).read_bytes()
    record = predictor.metadata
    check_label(onnx.load_from_string(content).graph, record, file)
    target = get_target(record.target)
    precision = get_precision(target, record.precision)
    options: dict[str, Any] = {"samples": samples, "threads": threads, "on_progress": on_progress}
    if precision == "int8":
        return prove_integers(source, content, target, Measured.read(record.measured, file), **options)
    report = check_parity(source, content, target, precision=stored_in(target, precision), **options)
    if report.passed and report.precision != precision:
        report = check_parity(source, content, target, precision=precision, **options)
    return report


def _check_same(file: Path, record: FileMetadata, size: tuple[int, ...] | None, source: Source) -> None:
    if record.model != source.name:
        raise ModelMismatchError(
            f"{file} was exported from {record.name}, not from {source.full_name}. Name the model it came from."
        )
    if record.weights_sha256 != source.weights_sha256:
        raise ModelMismatchError(
            f"{file} was exported from {record.name} with other weights than those of {source.full_name} "
            f"(sha256 {record.weights_sha256[:12]}... in the file, {source.weights_sha256[:12]}... now). "
            "Name the tag it came from, or export again."
        )
    given = source.input
    if (size is not None) != isinstance(given, InputSpec):
        raise ModelMismatchError(f"{file} and {source.full_name} do not both take {given.noun}s.")
    if size is not None and isinstance(given, InputSpec) and size != given.size:
        raise ModelMismatchError(
            f"{file} takes images of shape {size}, {source.full_name} here {given.size} (channels, "
            f"height, width). Pass --img-size {size[-1]}."
        )
    _check_record(file, record, source)


def _check_record(file: Path, record: FileMetadata, source: Source) -> None:
    """Check the file's record of its use: with other pixels, tokens or class names, equal logits are wrong answers."""
    ours = _fields(source.input.record(), source.input.limits())
    stored = _fields(record.preprocess, record.limits)
    differing = [name for name in ours | stored if stored.get(name) != ours.get(name)]
    if differing:
        fields = ", ".join(f"{name} ({_short(stored.get(name))} there, {_short(ours.get(name))} here)"
                           for name in differing)  # fmt: skip
        raise ModelMismatchError(
            f"{file} and {source.full_name} have another preprocessing: {fields}. Name the tag it came from, or export "
            "again."
        )
    if record.license != source.license:
        raise ModelMismatchError(
            f"{file} says that the licence is {record.license or 'unknown'}, {source.full_name} that it is "
            f"{source.license or 'unknown'}. Name the tag it came from, or export again."
        )
    if record.labels != source.input.labels:
        pairs = zip_longest(record.labels, source.input.labels)
        number, (there, here) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        raise ModelMismatchError(
            f"{file} and {source.full_name} have other labels: labels[{number}] is {there!r} there, {here!r} here. "
            "Name the tag it came from, or export again."
        )


def _fields(preprocess: dict[str, Any], limits: dict[str, int]) -> dict[str, Any]:
    """Both in one table; a tokenizer cuts at its own `max_length`, which may be less than the model's."""
    return preprocess | {f"the model's {name}": value for name, value in limits.items()}


def _short(value: Any) -> str:
    """A value in words; a tokenizer, which is half a megabyte of text, by its digest."""
    text = str(value)
    return text if len(text) <= 60 else f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}..."

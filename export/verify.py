"""`validate`: hold an exported file against a model, once more."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

from torch import nn

from export.errors import ModelMismatchError
from export.metadata import FileMetadata
from export.parity.report import ParityReport
from export.parity.run import Samples, check_parity
from export.runtime.predictor import load_predictor
from export.source import InputSpec, Source, read_source
from export.targets import get_target


def validate(
    file: str | Path,
    model: str | Path | nn.Module,
    *,
    input_spec: InputSpec | None = None,
    samples: Samples | None = None,
    pretrained: bool = True,
    img_size: int | None = None,
    threads: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ParityReport:
    """Repeat the parity check of a file written by `export`.

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
        ModelMismatchError: it was exported from another model, other weights, another image size, preprocessing or
            labels.
        ZooError: the model cannot be created.
    """
    predictor = load_predictor(file, threads=threads)
    source = read_source(model, input_spec=input_spec, pretrained=pretrained, img_size=img_size)
    _check_same(Path(file), predictor.metadata, predictor.input_size, source)
    content = Path(file).read_bytes()
    target = get_target(predictor.metadata.target)
    return check_parity(source, content, target, samples=samples, threads=threads, on_progress=on_progress)


def _check_same(file: Path, record: FileMetadata, size: tuple[int, ...], source: Source) -> None:
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
    if tuple(size) != source.input.size:
        raise ModelMismatchError(
            f"{file} takes images of shape {tuple(size)}, {source.full_name} here {source.input.size} (channels, "
            f"height, width). Pass --img-size {size[-1]}."
        )
    _check_record(file, record, source)


def _check_record(file: Path, record: FileMetadata, source: Source) -> None:
    """What the file says about its use: with other pixels or class names, equal logits are wrong answers."""
    ours = source.input.transform.to_dict()
    differing = [name for name, value in ours.items() if record.preprocess[name] != value]
    if differing:
        fields = ", ".join(f"{name} ({record.preprocess[name]} there, {ours[name]} here)" for name in differing)
        raise ModelMismatchError(
            f"{file} and {source.full_name} have another preprocessing: {fields}. Name the tag it came from, or export "
            "again."
        )
    if record.labels != source.input.labels:
        pairs = zip_longest(record.labels, source.input.labels)
        number, (there, here) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        raise ModelMismatchError(
            f"{file} and {source.full_name} have other labels: labels[{number}] is {there!r} there, {here!r} here. "
            "Name the tag it came from, or export again."
        )

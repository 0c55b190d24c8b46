"""What an exported file says about itself: written at export, read by the runtime. Needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from export.errors import OnnxFileError
from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError

PREFIX = "salu_zoo."
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class FileMetadata:
    """The record inside an ONNX file, so that labels and preprocessing cannot drift away from the weights.

    Args:
        model: name of the architecture, or of the class for a model from outside the zoo.
        tag: name of the weights; empty if they have none.
        labels: class names in the order of the logits; empty if unknown.
        preprocess: `Preprocess.to_dict()`.
        weights_sha256: digest of the parameters and buffers, see `export.source.weights_digest`.
        source_sha256: digest of the weights file the tag pins; empty without a tag.
        license: licence of the weights; empty if unknown.
        target: name of the export target.
        opset: version of the standard operator set.
        zoo_version: version of this package.
        torch_version: version of PyTorch that traced the model.
        format: version of this record.
    """

    model: str
    tag: str
    labels: tuple[str, ...]
    preprocess: dict[str, Any]
    weights_sha256: str
    source_sha256: str
    license: str
    target: str
    opset: int
    zoo_version: str
    torch_version: str
    format: int = FORMAT

    @property
    def name(self) -> str:
        """The public name, such as `salunet_c18_cifar.cifar10`."""
        return f"{self.model}.{self.tag}" if self.tag else self.model

    def to_props(self) -> dict[str, str]:
        """The record as ONNX metadata properties: text to text, each value JSON unless it is text already."""
        return {
            PREFIX + key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_props(cls, props: Mapping[str, str], file: str) -> "FileMetadata":
        """The inverse of `to_props`.

        Args:
            props: all metadata properties of a file; those of others are ignored.
            file: its name, for the message.

        Raises:
            OnnxFileError: the record is missing, incomplete, damaged or of a newer format.
        """
        ours = {key.removeprefix(PREFIX): value for key, value in props.items() if key.startswith(PREFIX)}
        if not ours:
            raise OnnxFileError(
                f"{file} was not written by `zoo export`: it holds no {PREFIX}* metadata, so its labels and "
                "preprocessing are unknown. Export the model again, or run the file with `export.open_session`."
            )
        if ours.get("format") != str(FORMAT):
            raise OnnxFileError(
                f"{file} has metadata of format {ours.get('format')!r}, this version reads {FORMAT}. Update salu-zoo."
            )
        missing = sorted({field.name for field in fields(cls)} - set(ours))
        if missing:
            raise OnnxFileError(f"{file} lacks the metadata {', '.join(missing)}. Export the model again.")
        try:
            values: dict[str, Any] = {
                field.name: ours[field.name] if field.type in (str, "str") else json.loads(ours[field.name])
                for field in fields(cls)
            }
            record = cls(**values | {"labels": _checked_labels(values["labels"])})
            Preprocess.from_dict(_checked(values["preprocess"], dict, "preprocess"))
            _checked(record.opset, int, "opset")
        except (ValueError, ConfigurationError) as error:
            raise OnnxFileError(f"{file} has damaged metadata: {error}. Export the model again.") from error
        return record


def _checked(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {value!r}")
    return value


def _checked_labels(value: Any) -> tuple[str, ...]:
    return tuple(_checked(label, str, "a label") for label in _checked(value, list, "labels"))

"""Metadata of an exported file: written at export, read by the runtime. Needs no torch."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from pydantic import AfterValidator, Json, PositiveInt

from export.errors import OnnxFileError
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.records import ClassName, Record

PREFIX = "salu_zoo."
DIGEST = f"{PREFIX}digest"
"""The property that holds what `export.digest.graph_digest` gives for the file."""
ADVICE = (
    "Export the model again; or, for an image classifier, name JSON files: --preprocess (input_size, interpolation, "
    "crop_pct, crop_mode, mean, std) and --labels (a list)."
)
"""What to do about a file from elsewhere."""
# Files of images are of format 1, files of texts of format 2: older versions do not read those, and say so.
IMAGES, TEXTS = 1, 2
# Properties that files of images do not have.
_TEXT_FIELDS = {"limits"}
# Properties that only some files have, left out at these values.
_USUAL: dict[str, Any] = {"operators": {}, "precision": "float32", "changed_since": "", "not_run": "", "measured": {}}
_LIMITS = {"max_length", "vocab_size", "type_vocab_size"}


def _complete(limits: dict[str, int]) -> dict[str, int]:
    if set(limits) != _LIMITS:
        raise ValueError(f"there are {', '.join(sorted(limits)) or 'none'}, not {', '.join(sorted(_LIMITS))}")
    return limits


@dataclass(frozen=True, kw_only=True)
class FileMetadata(Record):
    """The record inside an ONNX file, so that labels and preprocessing cannot drift away from the weights.

    Args:
        model: name of the architecture, or of the class for a model from outside the zoo.
        tag: name of the weights; empty if they have none.
        labels: class names in the order of the logits; empty if unknown.
        preprocess: `Preprocess.to_dict()` or `TextPreprocess.to_dict()`, or {"kind": "tokens"} for a text model that
            came without a tokenizer.
        weights_sha256: digest of the parameters and buffers, see `zoo.weights.identity.state_digest`.
        source_sha256: digest of the weights file the tag pins; empty without a tag.
        license: licence of the weights; empty if unknown.
        target: name of the export target.
        opset: version of the standard operator set.
        zoo_version: version of this package.
        torch_version: version of PyTorch that traced the model.
        limits: largest inputs of a text model: "max_length", "vocab_size", "type_vocab_size"; empty for images.
        operators: domain, version and digest of the operators of ours that the file holds; empty if it holds none.
        precision: what it computes in.
        changed_since: name of the weights the model was loaded from, if it was changed after; empty if not.
        not_run: why it was not proven where the target says, and what stood in; empty if it was.
        measured: of a file in integers, how far its export was from float32; see `export.quantize.measured`.
    """

    model: str
    tag: str
    labels: Json[tuple[ClassName, ...]]
    preprocess: Json[dict[str, Any]]
    weights_sha256: str
    source_sha256: str
    license: str
    target: str
    opset: Json[int]
    zoo_version: str
    torch_version: str
    limits: Json[Annotated[dict[str, PositiveInt], AfterValidator(_complete)]] = field(default_factory=dict)
    operators: Json[dict[str, Any]] = field(default_factory=dict)
    precision: str = "float32"
    changed_since: str = ""
    not_run: str = ""
    measured: Json[dict[str, Any]] = field(default_factory=dict)

    @property
    def format(self) -> int:
        """Version of this record: `IMAGES` or `TEXTS`."""
        return TEXTS if self.limits else IMAGES

    @property
    def name(self) -> str:
        """The public name, such as `salunet_c18_cifar.cifar10`."""
        return f"{self.model}.{self.tag}" if self.tag else self.model

    def to_props(self) -> dict[str, str]:
        """The record as ONNX metadata properties: text to text, each value JSON unless it is text already."""
        values = {key: getattr(self, key) for key in _names(self.format)} | {"format": self.format}
        values |= {key: getattr(self, key) for key, usual in _USUAL.items() if getattr(self, key) != usual}
        return {
            PREFIX + key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in values.items()
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
                f"preprocessing are unknown, and nothing says whether it was changed. {ADVICE}"
            )
        check_format(ours.get("format"), file)
        if DIGEST not in props:
            raise OnnxFileError(
                f"{file} has no digest: it was exported by an earlier release, or another program took it out, so "
                "nothing says whether it was changed. Export the model again."
            )
        names = [*_names(int(ours["format"])), *(_USUAL.keys() & set(ours))]
        missing = sorted(set(names) - set(ours))
        if missing:
            raise OnnxFileError(f"{file} lacks the metadata {', '.join(missing)}. Export the model again.")
        try:
            record = cls.checked({name: ours[name] for name in names})
            open_preprocess(record)
        except ConfigurationError as error:
            raise OnnxFileError(f"{file} has damaged metadata: {error}. Export the model again.") from error
        return record


def meanings() -> dict[str, str]:
    """The metadata properties of a file by their full names, with the meaning of each, as `FileMetadata` tells them."""
    told = re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", FileMetadata.__doc__ or "", flags=re.MULTILINE)
    own = {PREFIX + key: " ".join(text.split()).removesuffix(".") for key, text in told}
    own |= {f"{PREFIX}format": f"{IMAGES} for images, {TEXTS} for texts", DIGEST: "digest of all else in the file"}
    return own


def check_format(found: str | None, file: str) -> None:
    """Refuse metadata of a format that this release does not know.

    Raises:
        OnnxFileError: it is newer, or none.
    """
    if found not in (str(IMAGES), str(TEXTS)):
        raise OnnxFileError(
            f"{file} has metadata of format {found!r}, this version reads {IMAGES} and {TEXTS}. Update salu-zoo."
        )


def _names(version: int) -> list[str]:
    """The properties that every file of a format has, without `format` itself."""
    left_out = set(_USUAL) if version == TEXTS else _USUAL.keys() | _TEXT_FIELDS
    return [field.name for field in fields(FileMetadata) if field.name not in left_out]


def open_preprocess(record: FileMetadata) -> Preprocess | TextPreprocess | None:
    """Build the preprocessing for the file's inputs; None for a text model that came without a tokenizer.

    Raises:
        ConfigurationError: the record is damaged.
    """
    if record.format == IMAGES:
        return Preprocess.from_dict(record.preprocess)
    if record.preprocess == {"kind": "tokens"}:
        return None
    return TextPreprocess.from_dict(record.preprocess)

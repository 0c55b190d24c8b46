"""Tag of one set of published weights: which file, for which model, on which pixels or tokens, with which labels."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextInput
from zoo.documents import json_in
from zoo.errors import ConfigurationError, WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.weights.tag_rules import problems

CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"
WEIGHTS_FILE = "model.safetensors"
TAG_KEY = "salu_zoo"
"""Where `config.json`, which is timm's or transformers' own, holds the tag."""


@dataclass(frozen=True)
class PretrainedTag:
    """One published checkpoint, `MODEL.TAG`; stored in `config.json` in a folder of that name.

    That file is timm's configuration for images and transformers' for texts, with the tag under the key `salu_zoo`, so
    that all of them read the folder.

    Args:
        model: the architecture's name in the model registry.
        tag: what tells these weights from others of the same model, such as `cifar10`.
        num_classes: width of the classifier; 1 for a text model that predicts a score.
        preprocess: what turns an image, or a text, into the input these weights expect.
        sha256: of the weights file, as 64 hexadecimal digits; `write_card` fills it in.
        labels: name of each class in order, or empty where unknown.
        model_args: builder arguments beyond the model's own defaults; see `zoo.weights.tag_rules`.
        repo: Hub repository, or None.
        revision: full commit hash there; None until the weights are published.
        file: name of the weights file inside the folder or repository.
        dataset: what the weights were trained on: a dataset's or GLUE task's name here, or free text.
        recipe: name of the training recipe, or None where unknown.
        license: of the weights, as a Hub licence identifier.
        source: where the weights come from, in words or as an address.
        default: whether `create_model(MODEL, pretrained=True)` means this tag when there are several.
        results: content of `results.json` beside it; not part of `config.json`.

    Raises:
        WeightsMismatchError: a field has a bad value; every bad field is named.
    """

    model: str
    tag: str
    num_classes: int
    preprocess: Preprocess | TextInput
    sha256: str = ""
    labels: tuple[str, ...] = ()
    model_args: Mapping[str, Any] = field(default_factory=dict)
    repo: str | None = None
    revision: str | None = None
    file: str = WEIGHTS_FILE
    dataset: str = ""
    recipe: str | None = None
    license: str = "unknown"
    source: str = ""
    default: bool = False
    results: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.labels, list):
            object.__setattr__(self, "labels", tuple(self.labels))
        bad = problems({f.name: getattr(self, f.name) for f in fields(self)})
        if bad:
            raise WeightsMismatchError(f"Bad fields of {self.model!r:.80}.{self.tag!r:.80}: {'; '.join(bad)}.")

    @property
    def name(self) -> str:
        """The public name, `MODEL.TAG`."""
        return f"{self.model}.{self.tag}"

    @property
    def is_text(self) -> bool:
        """True if the model takes texts."""
        return isinstance(self.preprocess, TextInput)

    @property
    def pixels(self) -> Preprocess:
        """`preprocess` of a model for images.

        Raises:
            WeightsMismatchError: the model takes texts.
        """
        if isinstance(self.preprocess, TextInput):
            raise WeightsMismatchError(f"{self.name} is said to take texts, but {self.model} takes images.")
        return self.preprocess

    @property
    def tokens(self) -> TextInput:
        """`preprocess` of a model for texts.

        Raises:
            WeightsMismatchError: the model takes images.
        """
        if isinstance(self.preprocess, Preprocess):
            raise WeightsMismatchError(f"{self.name} is said to take images, but {self.model} takes texts.")
        return self.preprocess

    def to_dict(self) -> dict[str, Any]:
        """Return the value of `salu_zoo` in `config.json`, ready for JSON."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "results"}
        return values | {
            "preprocess": self.preprocess.to_dict(),
            "labels": list(self.labels),
            "model_args": dict(self.model_args),
        }

    @classmethod
    def from_dict(cls, values: Any, results: Mapping[str, Any] | None = None) -> "PretrainedTag":
        """The inverse of `to_dict`; strict, since the values may come from anywhere.

        Raises:
            WeightsMismatchError: fields are missing, unknown or have bad values; each is named.
        """
        if not isinstance(values, dict):
            raise WeightsMismatchError(f"A card's {CONFIG_FILE} holds one JSON object, found {type(values).__name__}.")
        known = {f.name for f in fields(cls)} - {"results"}
        missing, unknown = sorted(known - set(values)), sorted(set(values) - known)
        if missing or unknown:
            raise WeightsMismatchError(
                f"missing fields: {', '.join(missing) or 'none'}; unknown fields: {', '.join(unknown) or 'none'}."
            )
        if not values["sha256"]:
            raise WeightsMismatchError("Bad field: sha256 is empty, so the weights file could not be checked.")
        given = values["preprocess"]
        kind = TextInput if isinstance(given, dict) and "kind" in given else Preprocess
        try:
            preprocess = kind.from_dict(given)
        except (ConfigurationError, TypeError, ValueError, AttributeError) as error:
            raise WeightsMismatchError(f"Bad field preprocess: {error}") from error
        return cls(**{**values, "preprocess": preprocess, "results": results or {}})


def read_tag(folder: str | Path) -> PretrainedTag:
    """Read `config.json`, and `results.json` where there is one, of a card's folder.

    Raises:
        WeightsNotFoundError: there is no `config.json`.
        WeightsCorruptError: a file is not JSON.
        WeightsMismatchError: a field is missing, unknown or bad.
    """
    place = Path(folder)
    config = place / CONFIG_FILE
    if not config.is_file():
        raise WeightsNotFoundError(
            f"{place} has no {CONFIG_FILE}, which says what the weights are. Give a card's folder, or a .safetensors "
            f"file with a {CONFIG_FILE} beside it; `zoo adopt` makes both from a PyTorch checkpoint."
        )
    results = place / RESULTS_FILE
    values = read_json(config)
    if isinstance(values, dict) and TAG_KEY not in values and ({"model_type", "architecture"} & set(values)):
        raise WeightsMismatchError(_foreign(place, values))
    values = values.get(TAG_KEY, values) if isinstance(values, dict) else values
    try:
        return PretrainedTag.from_dict(values, read_json(results) if results.is_file() else None)
    except WeightsMismatchError as error:
        raise WeightsMismatchError(f"{config} does not describe weights of this zoo: {error}") from error


def _foreign(place: Path, values: dict[str, Any]) -> str:
    if "model_type" in values:
        return (
            f"{place} holds a transformers model ({values['model_type']!r}) and is no card of this zoo. Make one "
            f"of it: zoo adopt {shlex.quote(str(place))} --model MODEL --tag TAG, with a text model of "
            "`zoo list models`."
        )
    return (
        f"{place} holds a model that timm saved ({values['architecture']!r}) and is no card of this zoo. Load it with "
        f"timm.create_model({f'local-dir:{place}'!r}, pretrained=True), or make a card of its weights with `zoo adopt`."
    )


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        WeightsCorruptError: the file cannot be read or is not JSON.
    """
    try:
        return json_in(path)
    except (OSError, ValueError) as error:
        raise WeightsCorruptError(f"Cannot read {path} as JSON: {error}. Restore it or fetch it again.") from error

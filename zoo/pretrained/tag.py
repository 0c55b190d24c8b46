"""What one set of published weights is: which file, for which model, on which pixels, with which labels."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError, WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError

CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"
WEIGHTS_FILE = "model.safetensors"

MODEL_ARGS = ("norm", "act", "img_size")
"""Builder arguments a card may set. A card from the Hub is untrusted, so the list is closed and values are plain."""

MAX_CLASSES = 100_000
MAX_SIDE = 8192


@dataclass(frozen=True)
class PretrainedTag:
    """One published checkpoint, `MODEL.TAG`; stored as `config.json` in a folder of that name.

    Args:
        model: the architecture's name in the model registry.
        tag: what tells these weights from others of the same model, such as `cifar10`.
        num_classes: width of the classifier.
        preprocess: what turns an image into the input these weights expect.
        sha256: of the weights file, as 64 hexadecimal digits; `write_card` fills it in.
        labels: name of each class in order, or empty where unknown.
        model_args: builder arguments beyond the model's own defaults; see `MODEL_ARGS`.
        repo: Hub repository, or None.
        revision: full commit hash there; None until the weights are published.
        file: name of the weights file inside the folder or repository.
        dataset: what the weights were trained on: a dataset's name here, or free text.
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
    preprocess: Preprocess
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
        bad = [f"{name} is {_short(getattr(self, name))}, not {what}" for name, (ok, what) in _RULES.items()
               if not ok(getattr(self, name))]  # fmt: skip
        if not bad and self.labels and len(self.labels) != self.num_classes:
            bad = [f"labels has {len(self.labels)} entries for {self.num_classes} classes"]
        if bad:
            raise WeightsMismatchError(f"Bad fields of {self.model!r}.{self.tag!r}: {'; '.join(bad)}.")

    @property
    def name(self) -> str:
        """The public name, `MODEL.TAG`."""
        return f"{self.model}.{self.tag}"

    def to_dict(self) -> dict[str, Any]:
        """The content of `config.json`, ready for JSON."""
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
        try:
            preprocess = Preprocess.from_dict(values["preprocess"])
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
    try:
        return PretrainedTag.from_dict(read_json(config), read_json(results) if results.is_file() else None)
    except WeightsMismatchError as error:
        raise WeightsMismatchError(f"{config} does not describe weights of this zoo: {error}") from error


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        WeightsCorruptError: the file cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsCorruptError(f"Cannot read {path} as JSON: {error}. Restore it or fetch it again.") from error


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _plain_args(value: Any) -> bool:
    if not isinstance(value, Mapping) or not set(value) <= set(MODEL_ARGS):
        return False
    words = all(isinstance(value[key], str) for key in ("norm", "act") if key in value)
    return words and ("img_size" not in value or _whole(1, MAX_SIDE)(value["img_size"]))


def _is_repo(value: Any) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(value)
    except HFValidationError:
        return False
    return True


def _small_input(value: Any) -> bool:
    return isinstance(value, Preprocess) and max(value.input_size) <= MAX_SIDE


def _short(value: Any) -> str:
    text = repr(asdict(value) if isinstance(value, Preprocess) else value)
    return text if len(text) <= 80 else text[:77] + "..."


_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_ANY_TEXT = r"[^\x00-\x08\x0b-\x1f]*"
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_text(_NAME), "a name of letters, digits, _ and -"),
    "tag": (_text(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "a name of letters, digits, dots, _ and -"),
    "num_classes": (_whole(1, MAX_CLASSES), f"a whole number from 1 to {MAX_CLASSES}"),
    "preprocess": (_small_input, f"a Preprocess of at most {MAX_SIDE} pixels a side"),
    "sha256": (_text(r"([0-9a-f]{64})?"), "64 hexadecimal digits in lower case"),
    "labels": (lambda v: isinstance(v, tuple) and all(map(_text(_ANY_TEXT), v)), "a list of texts"),
    "model_args": (_plain_args, f"plain values for {', '.join(MODEL_ARGS)}"),
    "repo": (_optional(_is_repo), "a Hub repository like org/name"),
    "revision": (_optional(_text(r"[0-9a-f]{40}")), "a full commit hash or null"),
    "file": (_text(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors"), "the plain name of a .safetensors file"),
    "dataset": (_text(_ANY_TEXT), "a text"),
    "recipe": (_optional(_text(_ANY_TEXT)), "a text or null"),
    "license": (_text(r"[a-z0-9][a-z0-9.+-]*"), "a licence identifier such as apache-2.0"),
    "source": (_text(_ANY_TEXT), "a text"),
    "default": (lambda v: isinstance(v, bool), "true or false"),
    "results": (lambda v: isinstance(v, Mapping), "an object"),
}

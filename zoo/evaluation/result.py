"""Result of an evaluation, with everything needed to repeat it."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeVar

from zoo.analysis.classes import ClassCounts
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextInput
from zoo.errors import ConfigurationError

Own = TypeVar("Own", bound="Evaluation")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Record common to all evaluations, whatever they measure.

    Args:
        model: name, file or class of what was evaluated.
        tag: name of its published weights, or None.
        sha256: of the weights or model file, or None for a module built or changed in memory.
        runtime: what ran it: {"kind": "torch"} or what the predictor says about itself.
        dataset: name in `zoo.data.DATASETS` or `zoo.data.glue.GLUE`.
        source: where the samples came from; see `ImageDataset.source`.
        split: part of the dataset, or None for an undivided folder.
        limit: how many samples were asked for (evenly spaced over the split), or None for all.
        n: samples evaluated.
        loss: mean loss of a sample.
        batch_size: samples per batch.
        precision: what an exported file computes in; of PyTorch float32, or the type autocast computed in.
        device: cpu, cuda or mps.
        hardware: what that device was.
        seconds: wall time of the slowest process, preparing the samples included, loading the model not.
        versions: Python and libraries.
        command: the command line that repeats it, or None for a module built in memory.
        date: UTC, ISO 8601.
        changed_since: name of the weights the model was loaded from, if it no longer held them; "" otherwise.
    """

    # Computed from the fields, written for readers of the JSON file, and checked when it is read back.
    derived: ClassVar[tuple[str, ...]] = ()

    model: str
    tag: str | None
    sha256: str | None
    runtime: dict[str, Any]
    dataset: str
    source: dict[str, Any]
    split: str | None
    limit: int | None
    n: int
    loss: float
    batch_size: int
    precision: str
    device: str
    hardware: str
    seconds: float
    versions: dict[str, str]
    command: str | None
    date: str
    changed_since: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All fields and the derived figures, ready for JSON."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return values | {name: getattr(self, name) for name in self.derived}

    @classmethod
    def from_dict(cls: type[Own], values: Mapping[str, Any]) -> Own:
        """The inverse of `to_dict`.

        Raises:
            ConfigurationError: fields are missing or unknown, or a derived figure contradicts the others.
        """
        known = {field.name for field in fields(cls)} | set(cls.derived)
        # A field with a default came later than the first stored results.
        needed = known - {field.name for field in fields(cls) if field.default is not MISSING}
        missing, unknown = sorted(needed - set(values)), sorted(set(values) - known)
        if missing or unknown:
            raise ConfigurationError(f"Evaluation result: missing fields {missing}, unknown fields {unknown}.")
        given = {name: value for name, value in values.items() if name not in cls.derived}
        result = cls(**given | cls._restored(given))
        wrong = [name for name in cls.derived if getattr(result, name) != values[name]]
        if wrong:
            raise ConfigurationError(
                f"Evaluation result: {', '.join(wrong)} do not follow from the counts; the file was edited."
            )
        return result

    @classmethod
    def _restored(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Those fields that JSON holds in another type, in their own."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class EvalResult(Evaluation):
    """Accuracy of one model on one image dataset. `loss` is the mean cross entropy.

    Args:
        correct1: images whose class scored highest.
        correct5: images whose class was among the five highest.
        preprocess: how images became inputs.
        images_per_process: images each process evaluated; one entry for an ordinary run.
        classes: the same images counted by class, or None where that was not stored.
    """

    derived: ClassVar[tuple[str, ...]] = ("top1", "top5", "images_per_second")

    correct1: int
    correct5: int
    preprocess: Preprocess
    images_per_process: tuple[int, ...]
    classes: ClassCounts | None = None

    def __post_init__(self) -> None:
        if self.classes and (sum(self.classes.images), sum(self.classes.correct)) != (self.n, self.correct1):
            raise ConfigurationError(f"Evaluation result: the counts by class are not of {self.n} images.")

    @property
    def top1(self) -> float:
        """Top-1 accuracy in percent."""
        return 100 * self.correct1 / self.n

    @property
    def top5(self) -> float:
        """Top-5 accuracy in percent."""
        return 100 * self.correct5 / self.n

    @property
    def images_per_second(self) -> float:
        """Throughput of the whole pipeline: decoding, preprocessing and the model."""
        return self.n / self.seconds

    @classmethod
    def _restored(cls, given: dict[str, Any]) -> dict[str, Any]:
        processes = tuple(given["images_per_process"])
        classes = None if given.get("classes") is None else ClassCounts.from_dict(given["classes"])
        preprocess = Preprocess.from_dict(given["preprocess"])
        return {"preprocess": preprocess, "images_per_process": processes, "classes": classes}


@dataclass(frozen=True, kw_only=True)
class TextResult(Evaluation):
    """The official metrics of one model on one GLUE task. `loss` is the mean cross entropy or squared error.

    Args:
        metrics: by name, from 0 or -1 to 1; the task's leading metric first. See `zoo.evaluation.official_metrics`.
        correct: texts whose class scored highest, or None for the regression task.
        preprocess: how texts became inputs.
        texts_per_process: texts each process evaluated; one entry for an ordinary run.
    """

    derived: ClassVar[tuple[str, ...]] = ("texts_per_second",)

    metrics: dict[str, float]
    correct: int | None
    preprocess: TextInput
    texts_per_process: tuple[int, ...]

    @property
    def texts_per_second(self) -> float:
        """Throughput of the whole pipeline: tokeniser and model."""
        return self.n / self.seconds

    @classmethod
    def _restored(cls, given: dict[str, Any]) -> dict[str, Any]:
        processes = tuple(given["texts_per_process"])
        return {"preprocess": TextInput.from_dict(given["preprocess"]), "texts_per_process": processes}


def _plain(value: Any) -> Any:
    if isinstance(value, Preprocess | TextInput | ClassCounts):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value

"""Result of an evaluation, with everything needed to repeat it."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PositiveFloat, PositiveInt

from zoo.analysis.classes import ClassCounts
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextInput
from zoo.errors import ConfigurationError
from zoo.records import ByDict, Record


@dataclass(frozen=True, kw_only=True)
class Evaluation(Record):
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

    subject = "evaluation result"

    model: str
    tag: str | None
    sha256: str | None
    runtime: dict[str, Any]
    dataset: str
    source: dict[str, Any]
    split: str | None
    limit: int | None
    n: PositiveInt
    loss: float
    batch_size: int
    precision: str
    device: str
    hardware: str
    seconds: PositiveFloat
    versions: dict[str, str]
    command: str | None
    date: str
    changed_since: str = ""


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

    derived = ("top1", "top5", "images_per_second")

    correct1: int
    correct5: int
    preprocess: Annotated[Preprocess, ByDict()]
    images_per_process: tuple[int, ...]
    classes: ClassCounts | None = None

    def __post_init__(self) -> None:
        if self.classes and (sum(self.classes.images), sum(self.classes.correct)) != (self.n, self.correct1):
            raise ConfigurationError(f"The counts by class are not of {self.n} images.")

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


@dataclass(frozen=True, kw_only=True)
class TextResult(Evaluation):
    """The official metrics of one model on one GLUE task. `loss` is the mean cross entropy or squared error.

    Args:
        metrics: by name, from 0 or -1 to 1; the task's leading metric first. See `zoo.evaluation.official_metrics`.
        correct: texts whose class scored highest, or None for the regression task.
        preprocess: how texts became inputs.
        texts_per_process: texts each process evaluated; one entry for an ordinary run.
    """

    derived = ("texts_per_second",)

    metrics: dict[str, float]
    correct: int | None
    preprocess: Annotated[TextInput, ByDict()]
    texts_per_process: tuple[int, ...]

    @property
    def texts_per_second(self) -> float:
        """Throughput of the whole pipeline: tokeniser and model."""
        return self.n / self.seconds

"""What an evaluation found, with everything needed to repeat it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError

# Computed from the fields, written for readers of the JSON file, and checked when it is read back.
_DERIVED = ("top1", "top5", "images_per_second")


@dataclass(frozen=True)
class EvalResult:
    """Accuracy of one model on one dataset.

    Args:
        model: name, file or class of what was evaluated.
        tag: name of its published weights, or None.
        sha256: of the weights or model file, or None for a module built in memory.
        runtime: what ran it: {"kind": "torch"} or what the predictor says about itself.
        dataset: name in `zoo.data.DATASETS`.
        source: where the images came from; see `ImageDataset.source`.
        split: part of the dataset, or None for an undivided folder.
        limit: how many images were asked for (evenly spaced over the split), or None for all.
        n: images evaluated.
        correct1: images whose class scored highest.
        correct5: images whose class was among the five highest.
        loss: mean cross entropy.
        preprocess: how images became inputs.
        batch_size: images per batch.
        precision: float32, or the type autocast computed in.
        device: cpu, cuda or mps.
        hardware: what that device was.
        images_per_process: images each process evaluated; one entry for an ordinary run.
        seconds: wall time of the slowest process, decoding included, loading the model not.
        versions: Python and libraries.
        command: the command line that repeats it, or None for a module built in memory.
        date: UTC, ISO 8601.
    """

    model: str
    tag: str | None
    sha256: str | None
    runtime: dict[str, Any]
    dataset: str
    source: dict[str, Any]
    split: str | None
    limit: int | None
    n: int
    correct1: int
    correct5: int
    loss: float
    preprocess: Preprocess
    batch_size: int
    precision: str
    device: str
    hardware: str
    images_per_process: tuple[int, ...]
    seconds: float
    versions: dict[str, str]
    command: str | None
    date: str

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

    def to_dict(self) -> dict[str, Any]:
        """All fields and the three derived figures, ready for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["preprocess"] = self.preprocess.to_dict()
        values["images_per_process"] = list(self.images_per_process)
        return values | {name: getattr(self, name) for name in _DERIVED}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EvalResult":
        """The inverse of `to_dict`.

        Raises:
            ConfigurationError: fields are missing or unknown, or a derived figure contradicts the counts.
        """
        known = {field.name for field in fields(cls)} | set(_DERIVED)
        missing, unknown = sorted(known - set(values)), sorted(set(values) - known)
        if missing or unknown:
            raise ConfigurationError(f"Evaluation result: missing fields {missing}, unknown fields {unknown}.")
        given = {name: value for name, value in values.items() if name not in _DERIVED}
        given["preprocess"] = Preprocess.from_dict(given["preprocess"])
        given["images_per_process"] = tuple(given["images_per_process"])
        result = cls(**given)
        wrong = [name for name in _DERIVED if getattr(result, name) != values[name]]
        if wrong:
            raise ConfigurationError(
                f"Evaluation result: {', '.join(wrong)} do not follow from the counts; the file was edited."
            )
        return result

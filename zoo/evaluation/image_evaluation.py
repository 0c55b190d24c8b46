"""Evaluation on images: models that take them, and the images of a dataset as samples."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.image_dataset import ImageDataset
from zoo.data.labels import check_same_order
from zoo.data.loading import ModelInputs, load_batches
from zoo.data.preprocess import Preprocess, config_of, resized
from zoo.data.subset import match_classes, without_unreadable
from zoo.data.tokenize import TextPreprocess
from zoo.data.vision import load_vision
from zoo.errors import ConfigurationError
from zoo.evaluation.batch_work import cut
from zoo.evaluation.classification import Classification, ClassificationSums
from zoo.evaluation.evaluated_model import EvaluatedModel, EvaluationSetting
from zoo.models.inputs import check_input

if TYPE_CHECKING:
    from torch import Tensor, nn


class ImageKind:
    """The `Kind` of models that take batches (n, channels, height, width)."""

    def of_module(self, module: "nn.Module", name: str, setting: EvaluationSetting[Preprocess]) -> Preprocess:
        """The preprocessing asked for, or the module's own, at the size asked for; checked against the module."""
        if isinstance(getattr(module, "text_preprocess", None), TextPreprocess):
            raise ConfigurationError(_takes_texts(name))
        used = setting.preprocess or Preprocess.of(module)
        if setting.img_size is not None:
            used = resized(config_of(module), used, setting.img_size, name)
        check_input(module, (1, *used.input_size))
        return used

    def of_predictor(self, predictor: Any, name: str, setting: EvaluationSetting[Preprocess]) -> Preprocess:
        """The preprocessing asked for, or the predictor's own, at the size asked for."""
        used = setting.preprocess or getattr(predictor, "preprocess", None)
        if isinstance(used, TextPreprocess):
            raise ConfigurationError(_takes_texts(name))
        if not isinstance(used, Preprocess):
            raise ConfigurationError(
                f"{name} has no attribute `preprocess`. Pass evaluate(..., preprocess=...) for it."
            )
        return used if setting.img_size is None else used.for_size(setting.img_size)


IMAGES = ImageKind()


class ImageSamples:
    """The `MeasuredSamples` of an image dataset, with the model's class numbers.

    Args:
        subject: the model.
        name: of the dataset.
        split: part of it; None takes its default for evaluation.
        data: local folder; None fetches from the Hub.
        workers: processes that decode images; 0 decodes in this one.
        classes: see `zoo.evaluate`.
        skip_unreadable: leave out images that cannot be decoded.

    Raises:
        ZooError: as `zoo.evaluate` does for its data.
    """

    unit = "images"
    advice = "Check --img-size and the model's preprocessing."

    def __init__(
        self,
        subject: EvaluatedModel[Preprocess],
        name: str,
        split: str | None,
        data: str | Path | None,
        workers: int = 0,
        classes: Mapping[str, str | int] | None = None,
        skip_unreadable: bool = False,
    ) -> None:
        images = load_vision(name, split, data)
        images = without_unreadable(images) if skip_unreadable else images
        self.images = _with_classes_of(subject, images, classes)
        self.name, self.split, self.source = self.images.name, self.images.split, self.images.source
        self._subject, self._workers = subject, workers

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, chosen: Sequence[int], batch_size: int) -> list[list[int]]:
        """Batches in the order of the dataset."""
        return cut(chosen, batch_size)

    def load(self, batches: Sequence[Sequence[int]]) -> Iterator[tuple[Any, "Tensor", str]]:
        """The model's input for each batch, its classes and its shape in words."""
        for inputs, targets in load_batches(ModelInputs(self.images, self._subject.preprocess), batches, self._workers):
            yield inputs, targets, f"shape {tuple(inputs.shape)} (images, channels, height, width)"

    def score(self, indices: Sequence[int], outputs: "Tensor", targets: "Tensor") -> ClassificationSums:
        """The sums of one batch.

        Raises:
            ConfigurationError: the model has another number of classes than the dataset.
        """
        if outputs.shape[1] != self.images.num_classes:
            raise ConfigurationError(
                f"{self._subject.name} has {outputs.shape[1]} classes, dataset {self.name} has "
                f"{self.images.num_classes}. Evaluate on the dataset the model was trained for."
            )
        return Classification().score(outputs, targets)

    def figures(self, parts: Sequence[ClassificationSums], chosen: Sequence[int]) -> dict[str, Any]:
        """Fields of `EvalResult`: counts, loss, preprocessing."""
        task = Classification()
        return {**task.metrics(task.combine(parts)), "preprocess": self._subject.preprocess}


def _with_classes_of(
    subject: EvaluatedModel[Preprocess], images: ImageDataset, classes: Mapping[str, str | int] | None
) -> ImageDataset:
    """The images with the model's class numbers."""
    ours, theirs = subject.labels, images.labels
    if classes is not None:
        if not ours or not theirs:
            nameless = images.name if ours else subject.name
            raise ConfigurationError(f"A class map needs names on both sides; {nameless} has none.")
        return match_classes(images, ours, classes)
    if ours and theirs and (len(theirs) < len(ours) or images.name == "imagefolder") and ours != theirs:
        return match_classes(images, ours)
    check_same_order(subject.name, ours, f"dataset {images.name}", theirs)
    return images


def _takes_texts(name: str) -> str:
    return f"{name} takes texts, not images. Measure it on a GLUE task: zoo evaluate {shlex.quote(name)} --task sst2."

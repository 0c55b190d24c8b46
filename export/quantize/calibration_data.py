"""The images of calibration and evaluation, prepared as the model's own inputs, and their class numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from export.errors import CalibrationError
from export.inputs.image import InputSpec
from export.parity.probes import load_samples, spaced
from zoo.data.labels import check_same_order
from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError

Batch = tuple[NDArray[np.float32], list[int]]


@dataclass(frozen=True)
class CalibrationImages:
    """Preprocessed images, made when they are asked for.

    Args:
        described: where they come from.
        count: how many there are.
        labelled: whether each has a class number.
        take: image and class number by position; the number is -1 without one.
    """

    described: str
    count: int
    labelled: bool
    take: Callable[[int], tuple[Tensor, int]] = field(repr=False)

    def batches(self, size: int) -> Iterator[Batch]:
        """All of them in order, (n, channels, height, width) each, with their class numbers."""
        for start in range(0, self.count, size):
            pairs = [self.take(i) for i in range(start, min(start + size, self.count))]
            yield torch.stack([image for image, _ in pairs]).numpy(), [number for _, number in pairs]


def calibration_images(samples: Any, given: InputSpec, limit: int) -> tuple[Tensor, str]:
    """CalibrationImages to take ranges from, with where they come from in words.

    Args:
        samples: see `export.parity.probes.load_samples`.
        given: the model's input.
        limit: use at most so many, evenly spaced.

    Raises:
        CalibrationError: there are none, they have the wrong shape, or are no images.
    """
    size = "x".join(map(str, given.size))
    advice = (
        "Int8 takes the range of every activation from real images of the kind the model will see: give some hundred "
        f"of its training images ({size} after preprocessing) as `calibration`, or name them with --dataset."
    )
    if samples is None:
        raise CalibrationError(f"There are no calibration images. {advice}")
    try:
        images, described = load_samples(samples, given.transform, limit)
    except (ShapeError, DataNotFoundError, ConfigurationError) as error:
        raise CalibrationError(f"The calibration images cannot be used: {error} {advice}") from error
    if not bool(images.isfinite().all()):
        raise CalibrationError(f"The calibration images hold NaN or infinity. {advice}")
    return images, described


def evaluation_images(samples: Any, given: InputSpec, limit: int | None = None) -> CalibrationImages:
    """CalibrationImages to measure accuracy on.

    Args:
        samples: a sequence of (PIL image, class number) such as `zoo.data.load_vision` gives, or a pair of tensors,
            preprocessed images and class numbers: with labels. PIL images, a tensor or a folder: without.
        given: the model's input.
        limit: use so many, evenly spaced; None means all.

    Raises:
        DataNotFoundError: there are none.
        ShapeError: a tensor has the wrong shape.
        ConfigurationError: class names are those of another data set.
    """
    match samples:
        case (Tensor() as images, Tensor() as numbers):
            if numbers.ndim != 1 or len(numbers) != len(images):
                raise ShapeError(f"There are {len(images)} images and class numbers of shape {tuple(numbers.shape)}.")
            tensor, described = load_samples(images, given.transform, limit or len(images))
            chosen = numbers[spaced(len(numbers), len(tensor))].tolist()
            return CalibrationImages(described, len(tensor), True, lambda i: (tensor[i], chosen[i]))
        case Sequence() if not isinstance(samples, str):
            return _of_sequence(samples, given, limit)
    if hasattr(samples, "__getitem__") and hasattr(samples, "__len__") and not isinstance(samples, Tensor | str):
        return _of_sequence(samples, given, limit)
    tensor, described = load_samples(samples, given.transform, limit or _ALL)
    return CalibrationImages(described, len(tensor), False, lambda i: (tensor[i], -1))


_ALL = 2**31


def _of_sequence(items: Any, given: InputSpec, limit: int | None) -> CalibrationImages:
    chosen = spaced(len(items), limit or len(items))
    if not chosen:
        raise DataNotFoundError("The evaluation images are an empty sequence. Give at least one image, or none at all.")
    check_same_order("the model", given.labels, "the evaluation images", getattr(items, "labels", ()))
    labelled = isinstance(items[0], tuple)
    name = f"{items.name} ({items.split})" if hasattr(items, "split") else "a sequence"

    def take(position: int) -> tuple[Tensor, int]:
        item = items[chosen[position]]
        picture, number = item if labelled else (item, -1)
        if not isinstance(picture, Image.Image):
            raise ConfigurationError(f"The evaluation data hold {type(picture).__name__}; the model takes images.")
        return given.transform(picture), int(number)

    return CalibrationImages(f"{len(chosen)} images of {name}", len(chosen), labelled, take)

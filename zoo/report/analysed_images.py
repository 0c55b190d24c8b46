"""The images a network is looked at with."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.data.image_dataset import DATASETS, ImageDataset
from zoo.data.loading import ModelInputs, load_batches
from zoo.data.preprocess import Preprocess
from zoo.data.vision import load_vision
from zoo.errors import ConfigurationError

MOST_KEPT = 2**29
"""Bytes of preprocessed images that are kept between passes; more are decoded anew each time."""


@dataclass(frozen=True)
class ImageSample:
    """Images evenly spaced over a split.

    Args:
        dataset: a name in `zoo.data.vision.DATASETS`.
        split: which part of it.
        count: how many images.
        available: how many the split holds.
        source: where they came from: repository and revision, or folder and file hashes.
    """

    dataset: str
    split: str | None
    count: int
    available: int
    source: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return {name: getattr(self, name) for name in ("dataset", "split", "count", "available", "source")}


def choose_dataset(dataset: str | None, data: Path | str | None, trained_on: str) -> str | None:
    """The data set to look at: the one asked for, or with a folder alone the one the weights were trained on.

    Raises:
        ConfigurationError: a folder is given, but no data set, and that of the weights is unknown.
    """
    if dataset is not None or data is None:
        return dataset
    if trained_on not in DATASETS:
        raise ConfigurationError(
            f"Given --data {data}, but no data set, and the weights say nothing of the one they were trained on. "
            f"Name it: --dataset, one of {', '.join(DATASETS)}."
        )
    return trained_on


def open_images(dataset: str, data: Path | str | None, split: str | None, count: int) -> tuple[ImageDataset, list[int]]:
    """A split, and the positions of `count` images evenly spaced over it; all of them where there are fewer.

    Raises:
        ConfigurationError: `count` is below 2.
        ZooError: as `load_vision` does.
    """
    if count < 2:
        raise ConfigurationError(f"images={count}: a covariance needs at least 2 images; use some hundreds.")
    images = load_vision(dataset, split, data)
    total = len(images)
    count = min(count, total)
    return images, [i * total // count for i in range(count)]


def batches_of(
    images: ImageDataset, chosen: list[int], preprocess: Preprocess, batch_size: int, device: torch.device
) -> Callable[[], Iterator[Tensor]]:
    """Build what `zoo.analysis.findings.look_into` takes: a function that starts a pass over the images."""
    cut = [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]
    inputs = ModelInputs(images, preprocess)
    kept: list[Tensor] = []
    keep = len(chosen) * math.prod(preprocess.input_size) * 4 <= MOST_KEPT

    def start() -> Iterator[Tensor]:
        if kept:
            yield from kept
            return
        seen: list[Tensor] = []
        for batch, _ in load_batches(inputs, cut, 0):
            if keep:
                seen.append(batch.to(device))
            yield batch.to(device)
        kept.extend(seen)  # only after a whole pass

    return start

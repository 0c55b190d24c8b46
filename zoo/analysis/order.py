"""Does a model's accuracy depend on who shares its batch? Class-ordered against shuffled batches.

A network whose samples are independent gives the same count either way. FleS-Proto does not: its coefficients are
statistics of the batch, and in a batch of one class they tell the class (FleS slides, table 1).
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.analysis._mode import evaluating
from zoo.data.image_dataset import ImageDataset
from zoo.data.loading import ModelInputs, load_batches
from zoo.data.preprocess import Preprocess
from zoo.data.vision import load_vision
from zoo.errors import ConfigurationError


@dataclass(frozen=True)
class OrderEffect:
    """Images of which the class scored highest, by the order they were batched in.

    Args:
        n: images.
        batch_size: images per batch; a class-ordered batch mixes classes only where one ends.
        ordered: right in batches sorted by class.
        shuffled: right in batches drawn at random.
    """

    n: int
    batch_size: int
    ordered: int
    shuffled: int

    def to_dict(self) -> dict[str, Any]:
        """The counts and both accuracies in percent, ready for JSON."""
        rates = {"ordered_top1": 100 * self.ordered / self.n, "shuffled_top1": 100 * self.shuffled / self.n}
        return asdict(self) | rates


@torch.inference_mode()
def order_effect(
    model: nn.Module,
    dataset: str,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    batch_size: int = 100,
    seed: int = 0,
    workers: int = 0,
) -> OrderEffect:
    """Count right answers with class-ordered and with shuffled batches, in evaluation mode.

    Images are read three times, once for their classes, and never all kept.

    Args:
        model: a classifier that describes its input (`Preprocess.of`); left in the mode it was in, part by part.
        dataset: a name in `zoo.data.vision.DATASETS`.
        data: its local folder; None fetches from the Hub.
        split: None takes the dataset's default for evaluation.
        batch_size: images per batch.
        seed: of the shuffled order.
        workers: processes that decode images.

    Raises:
        ConfigurationError: `batch_size` is below 1.
        ZooError: as `load_vision` and `Preprocess.of` do.
    """
    if batch_size < 1:
        raise ConfigurationError(f"order_effect(batch_size={batch_size}): give at least 1.")
    images = load_vision(dataset, split, data)
    inputs = ModelInputs(images, Preprocess.of(model))
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    labels = torch.cat(list(load_batches(_Labels(images), _cut(torch.arange(len(images)), batch_size), workers)))
    by_class = torch.argsort(labels, stable=True)
    at_random = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    with evaluating(model):
        counts = [
            sum(
                int((model(x.to(device)).cpu().argmax(1) == y).sum())
                for x, y in load_batches(inputs, _cut(order, batch_size), workers)
            )
            for order in (by_class, at_random)
        ]
    return OrderEffect(len(labels), batch_size, *counts)


class _Labels:
    """Position to class number."""

    def __init__(self, images: ImageDataset) -> None:
        self.images = images

    def __getitem__(self, index: int) -> int:
        return self.images[index][1]


def _cut(order: Tensor, size: int) -> list[list[int]]:
    return [part.tolist() for part in order.split(size)]

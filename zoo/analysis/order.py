"""Does a model's accuracy depend on who shares its batch? Class-ordered against shuffled batches.

A network whose samples are independent gives the same count either way. FleS-Proto does not: its coefficients are
statistics of the batch, and in a batch of one class they tell the class (FleS slides, table 1).
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.data.loading import ModelInputs, load_batches
from zoo.data.preprocess import Preprocess
from zoo.data.vision import load_vision


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

    Args:
        model: a classifier that describes its input (`Preprocess.of`); left in the mode it was in.
        dataset: a name in `zoo.data.vision.DATASETS`.
        data: its local folder; None fetches from the Hub.
        split: None takes the dataset's default for evaluation.
        batch_size: images per batch.
        seed: of the shuffled order.
        workers: processes that decode images.

    Raises:
        ZooError: as `load_vision` and `Preprocess.of` do.
    """
    images = load_vision(dataset, split, data)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    loaded = list(load_batches(ModelInputs(images, Preprocess.of(model)), _cut(range(len(images)), 500), workers))
    inputs, labels = torch.cat([x for x, _ in loaded]), torch.cat([y for _, y in loaded])
    by_class = torch.argsort(labels, stable=True)
    at_random = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    was_training = model.training
    try:
        model.eval()
        counts = [
            sum(int((model(inputs[i].to(device)).cpu().argmax(1) == labels[i]).sum()) for i in order.split(batch_size))
            for order in (by_class, at_random)
        ]
    finally:
        model.train(was_training)
    return OrderEffect(len(labels), batch_size, *counts)


def _cut(indices: range, size: int) -> list[range]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]

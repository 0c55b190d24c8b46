"""Accuracy of the model while it is trained, with the raw weights and with their moving average."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.training.images.image_loaders import TrainingImages
from zoo.training.images.step_plan import evaluation_chunks
from zoo.training.processes import Devices

Forward = Callable[[Tensor], Tensor]


@torch.no_grad()
def measure(forward: Forward, images: TrainingImages, batch_size: int, devices: Devices) -> tuple[float, float]:
    """Return (Top-1 in percent, mean cross-entropy) over the whole split, shared among the processes.

    Args:
        forward: normalised batch to logits, in evaluation mode.
        images: the split.
        batch_size: images at once; the last batch is filled up and the filling not counted.
        devices: this process among its peers.
    """
    chunks = evaluation_chunks(len(images), batch_size, devices)
    totals = torch.zeros(2, dtype=torch.float64, device=devices.device if devices.device.type != "mps" else "cpu")
    batches = images.plain([indices for indices, _ in chunks])
    for (batch, labels), (_, count) in zip(batches, chunks, strict=True):
        logits = forward(batch)[:count].float()
        target = labels[:count].to(logits.device)
        totals[0] += (logits.argmax(1) == target).sum().to(totals.device)
        totals[1] += F.cross_entropy(logits, target, reduction="sum").to(totals)
    correct, loss = devices.sum(totals).tolist()
    return 100 * correct / len(images), loss / len(images)


@contextmanager
def exchanged(model: nn.Module, other: nn.Module) -> Iterator[None]:
    """Swap the values of two models of the same form, and swap them back at the end, bit for bit.

    The compiled form of `model` thereby serves for both: no second compilation, no second set of guards.
    """
    _swap(model, other)
    try:
        yield
    finally:
        _swap(model, other)


@torch.no_grad()
def _swap(model: nn.Module, other: nn.Module) -> None:
    for mine, theirs in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        kept = mine.clone()
        mine.copy_(theirs)
        theirs.copy_(kept)

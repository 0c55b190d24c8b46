"""Per-channel statistics of one sample, as FleS and its variants read them."""

import torch
from torch import Tensor
from torch.jit import is_scripting  # type: ignore[attr-defined]
from torch.nn import functional as F

from zoo.activations.dispatch import fused, recorded
from zoo.activations.recompute import overridable
from zoo.numerics.axes import along_positions, split_axes
from zoo.numerics.precision import wide_dtype


@overridable
def positive_mean(
    x: Tensor, channel_axis: int, channels: int, mask: Tensor | None = None, over_batch: bool = False
) -> Tensor:
    """Mean of x over its elements x >= 0, for each sample and channel; 0 where a channel has none [ours].

    Args:
        x: (n, ..., c, ...), floating point; summed in float32 at least.
        channel_axis: where the channels are.
        channels: how many there are.
        mask: (n, *positions), True where a position counts; None counts all.
        over_batch: one mean per channel over all samples, of shape (1, c), instead of one per sample.

    Returns:
        (n, c) in float32 (float64 for float64 input).

    Source: FleS slides, "channel effective mean intensity"; Paper-Notes, 2026-05-08, for x >= 0; the axes and the mask
    are ours.
    """
    axis, positions = split_axes(x, channel_axis, channels)
    if not is_scripting() and not over_batch:
        quick = fused("positive_mean", (x,) if mask is None else (x, mask), None)
        if quick is not None:
            return quick(x, axis, mask)
    positive, counts = _positive(x), x >= 0
    if mask is not None:
        keep = along_positions(mask, x, axis)
        positive, counts = torch.where(keep, positive, 0.0), counts & keep
    total = _sum(positive, positions, over_batch)
    count = _sum(counts, positions, over_batch, dtype=total.dtype)
    return total / count.clamp_min(1)


@overridable
def plain_mean(x: Tensor, channel_axis: int, channels: int, mask: Tensor | None = None) -> Tensor:
    """Mean of x over its positions; arguments and result as for `positive_mean`, 0 where there is no position."""
    axis, positions = split_axes(x, channel_axis, channels)
    if x.numel() == 0:
        return _sum(x, positions, over_batch=False)
    if mask is None:
        return x.mean(positions, dtype=wide_dtype(x)) if len(positions) else x.to(wide_dtype(x))
    keep = along_positions(mask, x, axis)
    total = _sum(torch.where(keep, x, 0.0), positions, over_batch=False)
    count = _sum(keep, positions, over_batch=False, dtype=total.dtype)
    return total / count.clamp_min(1)


def _positive(x: Tensor) -> Tensor:
    """relu(x); in eager mode in the form whose backward pass keeps x itself and no copy of it."""
    if is_scripting():
        return x.relu()
    if recorded():
        return x.relu()
    return F.threshold(x, 0.0, 0.0)


def _sum(x: Tensor, positions: list[int], over_batch: bool, dtype: torch.dtype | None = None) -> Tensor:
    """Sum over the positions, and over the batch if asked, to (n or 1, c)."""
    kind = wide_dtype(x) if dtype is None else dtype
    axes = [0] + positions if over_batch else positions  # noqa: RUF005 - as torch.jit.script takes it
    summed = x.sum(axes, dtype=kind) if len(axes) else x.to(kind)
    return summed.unsqueeze(0) if over_batch else summed

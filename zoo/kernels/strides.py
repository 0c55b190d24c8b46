"""Memory layout of a tensor in the few numbers a kernel takes: all in terms of sizes and strides, on the host."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RANK = 4
"""Dimensions a kernel walks through; a tensor that needs more is copied."""


class Walk(NamedTuple):
    """Sizes and strides of a strided tensor, `RANK` of each, in the order in which a dense one lies."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]


FLAT = Walk((1,) * RANK, (0,) * RANK)
"""What a kernel gets that takes its tensor in memory order."""


def walk(x: Tensor, dense: Tensor) -> Walk | None:
    """Compute steps through x in the memory order of `dense`, of the same shape; None if that takes too many sizes."""
    runs = _runs(x, _descending(dense, range(x.ndim)))
    if len(runs) > RANK:
        return None
    missing = RANK - len(runs)
    return Walk((1,) * missing + tuple(r[0] for r in runs), (0,) * missing + tuple(r[1] for r in runs))


class Split(NamedTuple):
    """The axes of a tensor in three groups: samples, channels and positions, each in memory order."""

    samples: tuple[int, ...]
    channels: tuple[int, ...]
    positions: tuple[int, ...]


class Strides(NamedTuple):
    """The step from one sample, channel and position to the next."""

    sample: int
    channel: int
    position: int


def varying(x: Tensor, coefficients: Sequence[Tensor]) -> tuple[int, ...] | None:
    """The axes of x along which a coefficient varies; None where the kernel cannot follow.

    It takes coefficients that broadcast to the shape of x and vary along one axis or two.
    """
    axes = set()
    for p in coefficients:
        if p.ndim > x.ndim:
            return None
        first = x.ndim - p.ndim
        for i, size in enumerate(p.shape, first):
            if size not in (1, x.shape[i]):
                return None
            if size > 1:
                axes.add(i)
    return tuple(sorted(axes)) if len(axes) <= 2 else None


def split(x: Tensor, axes: Sequence[int]) -> Split:
    """Group the axes of x, given those along which a coefficient varies: a batch and a channel axis, or fewer.

    Without a batch axis among them, what of the positions does not lie in one run takes its place.
    """
    channels = tuple(axes[-1:])
    samples = tuple(axes[:-1])
    positions = _descending(x, (i for i in range(x.ndim) if i not in axes and x.shape[i] > 1))
    if not samples:
        for cut in range(len(positions) + 1):
            if strides(x, Split(positions[:cut], channels, positions[cut:])) is not None:
                return Split(positions[:cut], channels, positions[cut:])
    return Split(samples, channels, positions)


def strides(x: Tensor, groups: Split) -> Strides | None:
    """The strides of the three groups of axes; None where one of them has more than one."""
    found = [_runs(x, axes) for axes in groups]
    if any(len(runs) > 1 for runs in found):
        return None
    return Strides(*(runs[0][1] if runs else 0 for runs in found))


def sizes(x: Tensor, groups: Split) -> tuple[int, int, int]:
    """Count the samples, channels and positions."""
    samples, channels, positions = (math.prod(x.shape[i] for i in axes) for axes in groups)
    return samples, channels, positions


def positions_kept(mask: Tensor | None, positions: int) -> Tensor | int:
    """Count the positions of each sample that a mask keeps: (n, 1), those where it is nonzero; all without a mask."""
    return positions if mask is None else mask.to(torch.bool).flatten(1).sum(1, keepdim=True)


def gathered(x: Tensor, groups: Split) -> Tensor:
    """A copy of x that has one stride for each group: samples, then positions, then channels."""
    order, back = _orders(x, groups)
    return x.permute(order).clone(memory_format=torch.contiguous_format).permute(back)


def room(x: Tensor, groups: Split) -> Tensor:
    """Memory for such a copy."""
    order, back = _orders(x, groups)
    return torch.empty([x.shape[i] for i in order], dtype=x.dtype, device=x.device).permute(back)


def _orders(x: Tensor, groups: Split) -> tuple[list[int], list[int]]:
    """The axes by group, and how to put them back."""
    order = [*groups.samples, *groups.positions, *groups.channels]
    order = [i for i in range(x.ndim) if i not in order] + order
    return order, sorted(range(x.ndim), key=order.__getitem__)


def _descending(x: Tensor, axes: Iterable[int]) -> tuple[int, ...]:
    """The axes with the widest step first; of two equal steps, the earlier axis."""
    steps = x.stride()
    return tuple(sorted(axes, key=lambda i: -steps[i]))


def _runs(x: Tensor, axes: Iterable[int]) -> list[tuple[int, int]]:
    """Size and stride of every run of axes that can be walked as one; axes of size 1 do not count."""
    runs: list[tuple[int, int]] = []
    for i in axes:
        size, stride = x.shape[i], x.stride(i)
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1] = runs[-1][0] * size, stride
        else:
            runs.append((size, stride))
    return runs

"""Launches of the Triton kernels for the mean over elements >= 0."""

import torch
from torch import Tensor

from zoo.kernels.strides import Split, positions_kept, room, split, strides
from zoo.kernels.triton.fles_kernels import mean_backward_kernel, mean_kernel
from zoo.kernels.triton.grid import followed, grid_of, steps_of
from zoo.kernels.triton.launch import on_device, require_dtype


def forward(x: Tensor, channel_axis: int, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """The mean over elements >= 0 and how many there are, (n, c) each, in float32.

    Args:
        x: (n, ..., c, ...), with the channels on `channel_axis`, counted from the front.
        channel_axis: where they are.
        mask: (n, 1 at the channels, *positions), nonzero where a position counts; None counts all.

    Raises:
        ConfigurationError: x has no dtype the kernels compute in.
    """
    groups = _groups(x, channel_axis)
    if not x.numel():
        zeros = torch.zeros(2, x.shape[0], x.shape[channel_axis], device=x.device)
        return zeros[0].clone(), zeros[1].clone()
    x = followed(x, groups)
    keep, kept = _kept(mask, groups)
    grid = grid_of(x, groups, reduces=True)
    sums = grid.sums(x)
    numbers = *grid.sizes[1:], grid.tile.steps, grid.slots, grid.columns, sums.stride(0)
    with on_device(x):
        mean_kernel[grid.programs](x, keep, sums, *numbers, *steps_of(x, groups), *kept, **grid.flags)
    added, negative = sums.sum(2)
    count = positions_kept(mask, grid.sizes[2]) - negative
    return added / count.clamp_min(1), count


def backward(grad: Tensor, x: Tensor, count: Tensor, channel_axis: int, mask: Tensor | None) -> Tensor:
    """The gradient by x, given that by the mean, (n, c), and how many elements were >= 0.

    Raises:
        ConfigurationError: as `forward`.
    """
    dx = torch.empty_like(x)
    groups = _groups(x, channel_axis)
    if not x.numel():
        return dx
    x = followed(x, groups)
    out = dx if strides(dx, groups) is not None else room(x, groups)
    keep, kept = _kept(mask, groups)
    grid = grid_of(x, groups, reduces=False)
    share = (grad / count.clamp_min(1)).to(torch.float32).contiguous()
    numbers = *grid.sizes[1:], grid.slots, grid.columns
    moves = *steps_of(x, groups), *kept, *steps_of(out, groups)
    with on_device(x):
        mean_backward_kernel[grid.programs](share, x, keep, out, *numbers, *moves, **grid.flags)
    return dx if out is dx else dx.copy_(out)


def _groups(x: Tensor, channel_axis: int) -> Split:
    require_dtype("positive_mean", x)
    return split(x, (0, channel_axis))


def _kept(mask: Tensor | None, groups: Split) -> tuple[Tensor | None, tuple[int, int]]:
    if mask is None:
        return None, (0, 0)
    keep = followed(mask.to(torch.bool).view(torch.uint8), groups)
    step = steps_of(keep, groups)
    return keep, (step.sample, step.position)

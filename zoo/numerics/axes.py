"""Batch, channel and position axes of a tensor."""

import torch
from torch import Tensor
from torch.jit import is_scripting  # type: ignore[attr-defined]

from zoo.errors import ShapeError


def split_axes(x: Tensor, channel_axis: int, channels: int) -> tuple[int, list[int]]:
    """The channel axis counted from the front, and the axes of the positions: all others but the batch.

    Raises:
        ShapeError: x has no batch axis beside the channels, or the axis does not hold `channels`.
    """
    axis = channel_axis % x.ndim if -x.ndim <= channel_axis < x.ndim else -1
    if not is_scripting() and (x.ndim < 2 or axis < 1 or x.shape[axis] != channels):
        raise ShapeError(
            f"The input has shape {tuple(x.shape)}; axis 0 must be the batch and axis {channel_axis} must hold "
            f"{channels} channels. Choose channel_axis=1 for (n, c, h, w) maps and -1 for tokens."
        )
    return axis, list(range(1, axis)) + list(range(axis + 1, x.ndim))


def along_positions(mask: Tensor, x: Tensor, axis: int) -> Tensor:
    """A mask (n, *positions) as a boolean that broadcasts with x.

    Raises:
        ShapeError: the mask has another shape than the batch and positions of x.
    """
    wanted = x.shape[:axis] + x.shape[axis + 1 :]
    if not is_scripting() and mask.shape != wanted:
        raise ShapeError(
            f"The mask has shape {tuple(mask.shape)}; for an input of shape {tuple(x.shape)} with the channels on axis "
            f"{axis} it must be {tuple(wanted)}: the batch and the positions."
        )
    return mask.to(torch.bool).unsqueeze(axis)

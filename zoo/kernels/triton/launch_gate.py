"""Launches of the Triton kernels for FleS's gate."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.errors import ShapeError
from zoo.kernels.strides import Split, room, split, strides, varying
from zoo.kernels.triton.fles_kernels import gate_backward_kernel, gate_kernel
from zoo.kernels.triton.grid import followed, grid_of, steps_of
from zoo.kernels.triton.launch import on_device, require_dtype


def forward(inputs: Sequence[Tensor]) -> Tensor:
    """FleS of x, with its two coefficients; the result lies as `torch.empty_like(x)` does.

    Raises:
        ConfigurationError: x has no dtype the kernels compute in.
        ShapeError: a coefficient does not broadcast to x, or both together vary along more than two axes.
    """
    x, *coefficients = inputs
    y = torch.empty_like(x)
    groups = _groups(x, coefficients)
    if not x.numel():
        return y
    x = followed(x, groups)
    out = y if strides(y, groups) is not None else room(x, groups)
    grid = grid_of(x, groups, reduces=False)
    v, h = (p.expand(x.shape) for p in coefficients)
    numbers = *grid.sizes[1:], grid.slots, grid.columns
    moves = *steps_of(x, groups), *steps_of(out, groups), *steps_of(v, groups)[:2], *steps_of(h, groups)[:2]
    with on_device(x):
        gate_kernel[grid.programs](x, out, v, h, *numbers, *moves, **grid.flags)
    return y if out is y else y.copy_(out)


def backward(grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients of x and of both coefficients where they are needed, None elsewhere.

    Raises:
        ConfigurationError: as `forward`.
        ShapeError: as `forward`.
    """
    x, *coefficients = inputs
    dx = torch.empty_like(x) if needs[0] else None
    groups = _groups(x, coefficients)
    if not x.numel():
        zeros = (torch.zeros_like(p) if need else None for p, need in zip(coefficients, needs[1:], strict=True))
        return [dx, *zeros]
    x, grad = followed(x, groups), followed(grad, groups)
    out = dx if dx is None or strides(dx, groups) is not None else room(x, groups)
    grid = grid_of(x, groups, reduces=any(needs[1:]))
    sums = grid.sums(x) if any(needs[1:]) else None
    v, h = (p.expand(x.shape) for p in coefficients)
    apart = 0 if sums is None else sums.stride(0)
    numbers = *grid.sizes[1:], grid.tile.steps, grid.slots, grid.columns, apart
    inner = steps_of(grad, groups), steps_of(x, groups), (0, 0, 0) if out is None else steps_of(out, groups)
    moves = *(s for each in inner for s in each), *steps_of(v, groups)[:2], *steps_of(h, groups)[:2]
    with on_device(x):
        gate_backward_kernel[grid.programs](grad, x, out, sums, v, h, *numbers, *moves, **grid.flags)
    if dx is not None and out is not None and out is not dx:
        dx.copy_(out)
    # Summed apart: results of an operator must not share memory.
    return [
        dx,
        *(
            _reduced(sums[i].sum(1), x, groups, p) if sums is not None and needs[i + 1] else None
            for i, p in enumerate(coefficients)
        ),
    ]


def _groups(x: Tensor, coefficients: Sequence[Tensor]) -> Split:
    require_dtype("fles", x)
    axes = varying(x, coefficients)
    if axes is None:
        shapes = " and ".join(str(tuple(p.shape)) for p in coefficients)
        raise ShapeError(
            f"fles: the coefficients have shapes {shapes}; the fused kernel takes what broadcasts to {tuple(x.shape)} "
            'and varies along two axes at most. Use kernel="plain".'
        )
    return split(x, axes)


def _reduced(share: Tensor, x: Tensor, groups: Split, p: Tensor) -> Tensor:
    """Reduce the sums for each sample and channel to the shape and dtype of the coefficient p."""
    shape = [1] * x.ndim
    for axis in groups.channels:
        shape[axis] = x.shape[axis]
    own = varying(x, [p]) or ()
    if len(groups.samples) == 1 and groups.samples[0] in own:
        shape[groups.samples[0]] = x.shape[groups.samples[0]]
    else:
        share = share.sum(0)
    return share.view(shape).sum_to_size(p.shape).to(p.dtype)

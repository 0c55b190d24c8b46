"""FleS with coefficients for each sample and channel, and the mean of the elements >= 0 that it is made from.

Positions side by side (n, c, h, w) and channels side by side (tokens, channels-last) are taken as they lie. Anything
else is copied first.
"""

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.errors import ShapeError
from zoo.kernels.cpu.compiled import kernels, threads
from zoo.kernels.cpu.dense import arranged, dense, dtype_number
from zoo.kernels.strides import Split, Strides, gathered, positions_kept, sizes, split, strides
from zoo.numerics import constants

_TENSORS = ("x", "grad", "mask", "out", "p", "q", "sums")
_NUMBERS = ("samples", "channels", "positions", "sample_stride", "channel_stride", "position_stride")


class _Arguments(ctypes.Structure):
    """`Channelwise` of the library."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _TENSORS),
        *((name, ctypes.c_int64) for name in _NUMBERS),
    )


class _Grid(NamedTuple):
    """x, copied if need be, as samples times channels times positions."""

    dtype: int
    x: Tensor
    groups: Split
    sizes: tuple[int, int, int]
    strides: Strides

    def run(self, function: str, **tensors: Tensor | None) -> None:
        """Call a function of the library; tensors go by the names in `_TENSORS`."""
        addresses = {name: None if t is None else t.data_ptr() for name, t in tensors.items()}
        numbers = dict(zip(_NUMBERS, (*self.sizes, *self.strides), strict=True))
        arguments = _Arguments(x=self.x.data_ptr(), **addresses, **numbers)
        getattr(kernels(), function)(self.dtype, ctypes.byref(arguments), *threads(self.x.numel()))

    def table(self, p: Tensor) -> Tensor:
        """Return p, which broadcasts to x and does not vary with the position, as (samples, channels) in float32."""
        groups = self.groups
        order = [*groups.samples, *groups.channels]
        rest = [i for i in range(self.x.ndim) if i not in order]
        flat = p.expand(self.x.shape).permute([*order, *rest])
        for _ in rest:
            flat = flat.select(-1, 0)
        return flat.reshape(self.sizes[:2]).to(torch.float32).contiguous()

    def reduced(self, sums: Tensor, p: Tensor) -> Tensor:
        """Sums for each sample and channel, added up to the shape and dtype of p."""
        order = [*self.groups.samples, *self.groups.channels]
        shape = [self.x.shape[i] for i in order]
        order += [i for i in range(self.x.ndim) if i not in order]
        back = sorted(range(self.x.ndim), key=order.__getitem__)
        spread = sums.view([*shape, *[1] * (self.x.ndim - len(shape))]).permute(back)
        return spread.sum_to_size(p.shape).to(p.dtype)


def fles(inputs: Sequence[Tensor]) -> Tensor:
    """FleS of x with its two coefficients; the strides of the result are those of `torch.empty_like(x)`."""
    x, vertical, horizontal = inputs
    y = torch.empty_like(x)
    grid = _grid("fles", x, _varying(x, vertical, horizontal))
    if not x.numel():
        return y
    h = grid.table(horizontal)
    least = constants.LEAST_STEEPNESS
    steep = torch.where(h.abs() < least, torch.where(h < 0, -least, least), h)
    out = _room(y, grid)
    grid.run("salu_zoo_fles", out=out, p=grid.table(vertical), q=steep)
    return y if out is y else y.copy_(out)


def fles_backward(grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients of x and of both coefficients where they are needed, None elsewhere."""
    x, vertical, horizontal = inputs
    dx = torch.empty_like(x) if needs[0] else None
    grid = _grid("fles", x, _varying(x, vertical, horizontal))
    if not x.numel():
        return [dx, *(torch.zeros_like(p) if need else None for p, need in zip(inputs[1:], needs[1:], strict=True))]
    v, h = grid.table(vertical), grid.table(horizontal)
    out = None if dx is None else _room(dx, grid)
    sums = torch.empty(2, *grid.sizes[:2], dtype=torch.float64) if any(needs[1:]) else None
    grid.run("salu_zoo_fles_backward", grad=arranged(grad, grid.x), out=out, p=v, q=h, sums=sums)
    if dx is not None and out is not None and out is not dx:
        dx.copy_(out)
    if sums is None:
        return [dx, None, None]
    return [
        dx,
        grid.reduced(sums[0], vertical) if needs[1] else None,
        grid.reduced(sums[1] * v, horizontal) if needs[2] else None,
    ]


def mean(x: Tensor, channel_axis: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The mean over the elements >= 0 and how many there are, (n, c) each, in float32.

    Args:
        x: (n, ..., c, ...) in float32, float16 or bfloat16.
        channel_axis: where the channels are.
        mask: of the shape of x with 1 channel, nonzero where a position counts; None counts all.

    Raises:
        ConfigurationError: x has another dtype.
        NativeError: the kernels cannot be compiled.
    """
    grid = _grid("positive_mean", x, (0, channel_axis % x.ndim))
    if not x.numel():
        return torch.zeros(grid.sizes[:2]), torch.zeros(grid.sizes[:2])
    sums = torch.empty(2, *grid.sizes[:2], dtype=torch.float64)
    grid.run("salu_zoo_positive_sums", mask=_bits(mask, grid), sums=sums)
    count = positions_kept(mask, grid.sizes[2]) - sums[1]
    return (sums[0] / count.clamp_min(1)).to(torch.float32), count.to(torch.float32)


def mean_backward(grad: Tensor, x: Tensor, count: Tensor, channel_axis: int, mask: Tensor | None = None) -> Tensor:
    """The gradient by x, given that by the mean, (n, c), and the number of elements >= 0 that `mean` returned.

    Raises:
        ConfigurationError: as `mean`.
        NativeError: as `mean`.
    """
    dx = torch.empty_like(x)
    grid = _grid("positive_mean", x, (0, channel_axis % x.ndim))
    if not x.numel():
        return dx
    out = _room(dx, grid)
    share = (grad / count.clamp_min(1)).to(torch.float32).contiguous()
    grid.run("salu_zoo_positive_shares", mask=_bits(mask, grid), out=out, p=share)
    return dx if out is dx else dx.copy_(out)


def _varying(x: Tensor, *coefficients: Tensor) -> tuple[int, ...]:
    """The axes of x along which a coefficient varies: two at most."""
    axes = set()
    fit = all(p.ndim <= x.ndim for p in coefficients)
    for p in coefficients if fit else ():
        for i, size in enumerate(p.shape, x.ndim - p.ndim):
            fit = fit and size in (1, x.shape[i])
            axes |= {i} if size != 1 else set()
    if not fit or len(axes) > 2:
        shapes = " and ".join(str(tuple(p.shape)) for p in coefficients)
        raise ShapeError(
            f"fles: the coefficients have shapes {shapes}; the fused kernel takes what broadcasts to {tuple(x.shape)} "
            'and varies along two axes at most. Use kernel="plain".'
        )
    return tuple(sorted(axes))


def _grid(name: str, given: Tensor, varying: Sequence[int]) -> _Grid:
    dtype, x = dtype_number(name, given), dense(given)
    groups = split(x, varying)
    step = strides(x, groups)
    if step is None or not (step.position == 1 or step.channel == 1 or x.numel() <= 1):
        x = gathered(x, groups)
        step = strides(x, groups)
        assert step is not None  # It has been gathered for that.
    return _Grid(dtype, x, groups, sizes(x, groups), step)


def _room(result: Tensor, grid: _Grid) -> Tensor:
    """`result` where the kernel can write into it, else a tensor that lies as the kernel's x does."""
    return result if result.stride() == grid.x.stride() else torch.empty_like(grid.x)


def _bits(mask: Tensor | None, grid: _Grid) -> Tensor | None:
    """(samples, positions) with all bits set where a position counts, in numbers as wide as those of x."""
    if mask is None:
        return None
    groups = grid.groups
    axes = [*groups.samples, *groups.positions]
    rest = [i for i in range(grid.x.ndim) if i not in axes]
    kept = mask.to(torch.bool).permute([*axes, *rest]).reshape(grid.sizes[0], grid.sizes[2])
    return kept.to(torch.int32 if grid.x.dtype == torch.float32 else torch.int16).neg_().contiguous()

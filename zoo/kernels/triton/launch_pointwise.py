"""Launches of the Triton kernels for SALU, its gates and their composites."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.errors import ShapeError
from zoo.kernels.strides import FLAT, Walk, walk
from zoo.kernels.triton import tiles
from zoo.kernels.triton.launch import OPTIONS, on_device, require_dtype
from zoo.kernels.triton.pointwise_kernels import (
    GALU_GATE,
    NO_GATE,
    NO_SKIP,
    RAW_SKIP,
    STABLE_SKIP,
    SWALU_GATE,
    backward_kernel,
    finish_kernel,
    forward_kernel,
)
from zoo.numerics.operators import OPERATORS, SHORTCUT, FusedOperator

WIDE = 2**31
"""From here on elements are counted in 64 bits."""
FINISH = 1024
"""Partial sums that the last kernel reads at a time."""


_SKIP = {"none": NO_SKIP.value, "raw": RAW_SKIP.value, "stabilised": STABLE_SKIP.value}
_GATE = {"none": NO_GATE.value, "swalu": SWALU_GATE.value, "galu": GALU_GATE.value}
"""What is compiled in for the parts of an operator."""


class Call(NamedTuple):
    """The inputs of one call as its kernel takes them, all but x in the memory order of `like`."""

    operator: FusedOperator
    x: Tensor
    like: Tensor
    walk: Walk
    skip: Tensor | None
    pairs: tuple[Tensor | None, ...]

    @property
    def flags(self) -> dict[str, bool | int]:
        """Compile-time constants of the kernel, and the size of a program's piece."""
        return {
            "STABILISE": self.operator.stabilises,
            "SKIP": _SKIP[self.operator.shortcut],
            "GATE": _GATE[self.operator.gate],
            "STRIDED": self.walk is not FLAT,
            "WIDE": self.x.numel() >= WIDE,
            "BLOCK": self.tile.block,
            "num_warps": self.tile.warps,
            **OPTIONS,
        }

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of elements, the blocks of a program, the sizes of all axes but the outermost, and the strides."""
        return self.x.numel(), self.tile.steps, *self.walk.sizes[1:], *self.walk.strides

    @property
    def programs(self) -> int:
        """Number of programs."""
        return self.tile.programs(self.x.numel())

    @property
    def tile(self) -> tiles.Flat:
        """Tile of each program."""
        return tiles.flat(self.x.numel())


def forward(name: str, inputs: Sequence[Tensor]) -> Tensor:
    """The operator `name`, in the dtype of x; the result lies as `torch.empty_like(x)` does.

    Raises:
        ConfigurationError: x has no dtype the kernels compute in.
        ShapeError: a coefficient is not one number, or the shortcut has another shape than x.
    """
    y = torch.empty_like(inputs[0])
    call = _call(name, inputs, y)
    if y.numel():
        with on_device(y):
            forward_kernel[(call.programs,)](call.x, call.skip, y, *call.pairs, *call.numbers, **call.flags)
    return y


def backward(name: str, grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients of those inputs that need one, None for the others; `grad` is that of the result.

    Raises:
        ConfigurationError: as `forward`.
        ShapeError: as `forward`.
    """
    x = inputs[0]
    operator = OPERATORS[name]
    results = [
        None if not need else torch.empty_like(x if i in operator.of_shape else p, dtype=p.dtype)
        for i, (p, need) in enumerate(zip(inputs, needs, strict=True))
    ]
    like = results[0] if results[0] is not None else torch.empty_like(x, device="meta")
    call = _call(name, inputs, like)
    scalars = [results[i] for i in operator.scalars]
    if not x.numel():
        for result in scalars:
            _ = result is None or result.zero_()
        return results
    summed = any(result is not None for result in scalars)
    sums = torch.empty(len(scalars) if summed else 0, call.programs, dtype=torch.float32, device=x.device)
    dskip = results[SHORTCUT] if call.skip is not None else None
    tensors = _arranged(grad, like), call.x, call.skip, results[0], dskip, sums
    flags = {**call.flags, "GATE_ROW": len(scalars) - 2, "SUMS": summed}
    with on_device(x):
        backward_kernel[(call.programs,)](*tensors, *call.pairs, *call.numbers, **flags)
        if summed:
            outs = [*scalars, *[None] * (6 - len(scalars))]
            finish_kernel[(len(scalars),)](sums, call.programs, *outs, BLOCK=FINISH, num_warps=4, **OPTIONS)
    return results


def _call(name: str, inputs: Sequence[Tensor], like: Tensor) -> Call:
    operator, x = OPERATORS[name], inputs[0]
    require_dtype(name, x)
    scalars = [inputs[i] for i in operator.scalars]
    for p in scalars:
        if p.numel() != 1 or p.ndim > x.ndim:
            raise ShapeError(f"{name}: a coefficient has shape {tuple(p.shape)}; the kernel takes one number each.")
    skip = inputs[SHORTCUT] if operator.shortcut != "none" else None
    if skip is not None and skip.shape != x.shape:
        raise ShapeError(f"{name}: the shortcut has shape {tuple(skip.shape)} and x has {tuple(x.shape)}.")
    steps = FLAT if x.stride() == like.stride() else walk(x, like)
    if steps is None:
        x, steps = _arranged(x, like), FLAT
    first = scalars[:2] if operator.stabilises else [None, None]
    second = scalars[2:4] if operator.shortcut == "stabilised" else [None, None]
    third = scalars[-2:] if operator.gate != "none" else [None, None]
    if skip is not None:
        skip = _arranged(skip, like)
    return Call(operator, x, like, steps, skip, (*first, *second, *third))


def _arranged(value: Tensor, like: Tensor) -> Tensor:
    """`value` in the memory order of `like`, copied only where it lies otherwise."""
    if value.stride() == like.stride():
        return value
    return torch.empty_like(like, dtype=value.dtype, device=value.device).copy_(value)

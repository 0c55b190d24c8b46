"""The comparisons with float64, on whatever device the inputs are."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoo.kernels.custom_ops import operator
from zoo.kernels.positive_mean import positive_mean
from zoo.numerics.operators import DEFINITIONS

from .cases import CHAINED, upstream
from .tolerances import CHAIN, EXPONENTIAL, LAST_ROUNDING, SMALLEST, SUBNORMAL, SUM


def double(inputs: Sequence[Tensor]) -> list[Tensor]:
    """The same values in float64 on the CPU, taking part in gradients."""
    return [t.detach().cpu().double().requires_grad_() for t in inputs]


def close(got: Tensor, want: Tensor, magnitude: Tensor, chain: float) -> None:
    """Assert that `got`, of its own dtype, is `want` up to `chain` of the magnitude and one rounding."""
    room = chain * magnitude + SMALLEST + LAST_ROUNDING[got.dtype] * want.abs() + SUBNORMAL[got.dtype]
    error = (got.detach().cpu().double() - want).abs()
    assert bool((error <= room).all()), f"off by {error.max():.3g}, {(error / room).max():.3g} of what is allowed"


def agree(name: str, inputs: Sequence[Tensor], function: Callable[..., Tensor] | None = None) -> None:
    """Assert that the value and every gradient of an operator are those of its definition in float64."""
    y = (function or operator(name))(*inputs)
    grad = upstream(y)
    found = torch.autograd.grad(y, inputs, grad)
    exact = double(inputs)
    want = CHAINED[name](*exact)
    wide = grad.detach().cpu().double()
    slopes = [s.detach() for s in DEFINITIONS[name].gradients(*exact)]
    chain = EXPONENTIAL if name == "fles" else CHAIN
    # A gate's result cancels where its slope does: |x| times the largest slope bounds both its parts.
    scale = slopes[0].abs().max() * exact[0].detach().abs() + want.detach().abs()
    close(y, want.detach(), scale, chain)
    for got, exactly, slope, x in zip(found, torch.autograd.grad(want, exact, wide), slopes, inputs, strict=True):
        assert got.shape == x.shape
        assert got.dtype == x.dtype
        if slope.shape == x.shape and x.ndim:
            close(got, exactly, wide.abs() * slope.abs().max(), chain)
        else:
            close(got, exactly, (wide * slope).abs().sum_to_size(x.shape), max(chain, SUM))


def repeat_exactly(name: str, inputs: Sequence[Tensor]) -> None:
    """Assert that the same inputs give the same gradients, bit by bit."""
    y = operator(name)(*inputs)
    grad = upstream(y)
    first = torch.autograd.grad(y, inputs, grad)
    second = torch.autograd.grad(operator(name)(*inputs), inputs, grad)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def mean_agrees(x: Tensor, channel_axis: int, mask: Tensor | None) -> None:
    """Assert that the mean over elements >= 0 and its gradient are those of the definition in float64."""
    got = positive_mean(x, channel_axis, mask)
    wide = x.detach().cpu().double().requires_grad_()
    axis = channel_axis % x.ndim
    keep = torch.ones(()) if mask is None else mask.cpu().double().unsqueeze(axis)
    counts = (wide.detach() >= 0) * keep
    positions = [i for i in range(1, x.ndim) if i != axis]
    total, number = (t.sum(positions) if positions else t for t in (wide.relu() * keep, counts))
    want = total / number.clamp_min(1)
    close(got, want.detach(), want.detach().abs(), SUM)
    grad = upstream(got)
    (dx,) = torch.autograd.grad(got, x, grad)
    (exactly,) = torch.autograd.grad(want, wide, grad.detach().cpu().double())
    close(dx, exactly, exactly.abs(), CHAIN)
    assert dx.stride() == torch.empty_like(x).stride()

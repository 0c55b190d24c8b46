"""The gate of FleS, v·σ(h·x + Δ)·x, in the forms that eager mode and compilers evaluate."""

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.activations.recompute import lean
from zoo.numerics import constants
from zoo.numerics.precision import wide_dtype


def _formula(x: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    # silu(h·x)·(v/h) and not v·σ(h·x)·x: with v = h = 1 it is torch's own SiLU to the last bit.
    sign = torch.where(horizontal < 0, -1.0, 1.0).to(horizontal.dtype)
    steep = torch.where(horizontal.abs() < constants.LEAST_STEEPNESS, sign * constants.LEAST_STEEPNESS, horizontal)
    y = (F.silu(steep * x.to(wide_dtype(x))) * (vertical / steep)).to(x.dtype)
    if x.is_contiguous() or (x.ndim == 4 and x.movedim(1, -1).is_contiguous()):
        return y
    # torch's exp rounds otherwise in a strided tensor than in the product above, which lies densely.
    return torch.where((vertical == 1) & (horizontal == 1), F.silu(x), y)


def plain(x: Tensor, vertical: Tensor, horizontal: Tensor, offset: Tensor | None = None) -> Tensor:
    """v·σ(h·x + Δ)·x."""
    # Without the quotient of `_formula`: its derivative by κ_ho cancels where κ_ho is small.
    wide = x.to(wide_dtype(x))
    inner = horizontal * wide if offset is None else horizontal * wide + offset
    return (vertical * (torch.sigmoid(inner) * wide)).to(x.dtype)


def _gradients(x: Tensor, vertical: Tensor, horizontal: Tensor) -> tuple[Tensor, ...]:
    """dx = v·(σ + h·x·σ·(1-σ)), dv = σ·x, dh = v·x²·σ·(1-σ), with σ = σ(h·x)."""
    return _shifted_gradients(x, vertical, horizontal, None)[:3]


def _shifted_gradients(x: Tensor, vertical: Tensor, horizontal: Tensor, offset: Tensor | None) -> tuple[Tensor, ...]:
    """As `_gradients` with σ = σ(h·x + Δ), and dΔ = v·x·σ·(1-σ)."""
    wide = x.to(wide_dtype(x))
    inner = horizontal * wide if offset is None else horizontal * wide + offset
    gate = torch.sigmoid(inner)
    bend = wide * gate * torch.sigmoid(-inner)  # 1 - gate would cancel
    return vertical * (gate + horizontal * bend), gate * wide, vertical * wide * bend, vertical * bend


gate = lean(_formula, _gradients, plain, name="fles")
shifted = lean(plain, _shifted_gradients)

"""Common core of SALU, SWALU and GALU: the guard on a and b, and the saturating unit t = u / sqrt(1 + u²).

With s = sqrt(a·b), S = sqrt(a/b) and u = s·z, every SALU is S·t. Written this way nothing can overflow [ours]: u is
clamped to ±2³⁰, where 1 + u² rounds to u² and t to ±1 exactly in float32 and float64, so that ±inf gives ±S.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.numerics import constants as constants


def direction(p: Tensor) -> Tensor:
    """+1 for p >= 0 and -1 below: the slope of `guard`, which is never 0, so that no parameter gets stuck."""
    return torch.where(p < 0, -1.0, 1.0).to(p.dtype)


def guard(p: Tensor) -> Tensor:
    """max(|p|, FLOOR): a learned parameter that steps over zero is reflected, so a and b act as positive [ours].

    Below the floor the slope is passed straight through (`direction`), in eager mode and in a compiled graph alike.
    """
    if not torch.is_grad_enabled() and not torch.jit.is_tracing():  # type: ignore[attr-defined]
        # The same value in a third of the kernels; torch.jit.trace wants one graph with and without gradients.
        return p.abs().clamp_min(constants.FLOOR)
    size = p * direction(p)
    return torch.where(size < constants.FLOOR, constants.FLOOR + (size - size.detach()), size)


class Unit(NamedTuple):
    """t = u·r and r = 1 / sqrt(1 + u²) at each element; the guarded a and b, their square roots, and S = sqrt(a/b)."""

    t: Tensor
    r: Tensor
    a: Tensor
    b: Tensor
    root_a: Tensor
    root_b: Tensor
    saturation: Tensor


def unit(z: Tensor, a: Tensor, b: Tensor) -> Unit:
    """Evaluate the unit at `z`, which is in the wide dtype already; a and b are guarded and cast to it."""
    a, b = guard(a.to(z.dtype)), guard(b.to(z.dtype))
    root_a, root_b = a.sqrt(), b.sqrt()
    u = (z * (root_a * root_b)).clamp(-constants.LIMIT, constants.LIMIT)
    r = torch.rsqrt(1 + u * u)
    # S as a quotient of roots, which cannot overflow where a/b would.
    return Unit(u * r, r, a, b, root_a, root_b, root_a / root_b)


def parameter_slopes(at: Unit, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """d/da and d/db of S·t for the stored a and b: z·(2 + a·b·z²) / (2·D^{3/2}) and -a²·z³ / (2·D^{3/2}).

    In terms of the unit these are t·(1 + r²) / (2·s) and -S·t³ / (2·b), finite for every z.
    """
    t, r = at.t, at.r
    da = t * (1 + r * r) / (2 * at.root_a * at.root_b)
    db = -at.saturation / (2 * at.b) * t * t * t
    return da * direction(a), db * direction(b)


def gated(x: Tensor, at: Unit) -> Tensor:
    """x/2 · (1 + S·t), with the finite limit 0 at x = -inf and S = 1.

    There 1 + S·t is exactly 0, so any finite stand-in for -inf gives the limit. For any other S the limit is infinite
    and x stays as it is. The bound is a scalar that an exporter folds to a constant.
    """
    saturation = at.saturation
    lowest = torch.full_like(saturation, -torch.inf).masked_fill(saturation == 1, constants.LOWEST)
    return torch.maximum(x / 2, lowest) * (1 + saturation * at.t)

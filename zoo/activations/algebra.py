"""The exact identities of SALU, SWALU and GALU, for export (folding), analysis (geometry, bounds) and tests.

A pair (a, b) is written as a `Pair`; its numbers are Python floats or tensors of one shape, and what is returned is of
the same kind. Nothing is guarded here: a and b must be positive, `zoo.numerics.saturating_unit.guard` makes them so.

Source: arXiv 2606.02927 where an equation is named; the compositions and the folding of scales are ours.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.activations.salu import salu
from zoo.errors import ConfigurationError
from zoo.numerics.constants import CUBIC, SCALE

Number = float | Tensor


class Pair(NamedTuple):
    """The two scalars of SALU, SWALU or GALU."""

    a: Number
    b: Number


class Geometry(NamedTuple):
    """The saturation S = sqrt(a/b) and the width of the linear regime W = 1/sqrt(a·b); the slope at 0 is S/W."""

    saturation: Number
    width: Number


def geometry(pair: Pair) -> Geometry:
    """S = sqrt(a/b) and W = 1/sqrt(a·b). Source: arXiv 2606.02927, section 2.1."""
    root_a, root_b = pair.a**0.5, pair.b**0.5
    return Geometry(root_a / root_b, 1 / (root_a * root_b))


def from_geometry(saturation: Number, width: Number) -> Pair:
    """The inverse of `geometry`: a = S/W, b = 1/(S·W)."""
    return Pair(saturation / width, 1 / (saturation * width))


def compose(inner: Pair, outer: Pair) -> Pair:
    """SALU after SALU is one SALU: SALU(SALU(x; a, b); a', b') = SALU(x; A, B) [ours].

    A = a·a', and A·B = a·b + a²·a'·b' gives B = b/a' + a·b'.
    """
    return Pair(inner.a * outer.a, inner.b / outer.a + inner.a * outer.b)


def swalu_of_salu(x: Tensor, inner: Pair, outer: Pair) -> Tensor:
    """SWALU(SALU(x; a, b); a', b') = SALU(x; a, b)/2 · (1 + SALU(x; A, B)): one pass over x [ours].

    Args:
        x: any shape, floating point.
        inner: (a, b) of the SALU.
        outer: (a', b') of the SWALU; with `compose` they give (A, B).

    Returns:
        The shape and dtype of x.
    """
    composed = compose(inner, outer)
    return salu(x, *inner) / 2 * (1 + salu(x, *composed))


def fold_input_scale(pair: Pair, scale: Number) -> Pair:
    """SALU(c·x; a, b) = SALU(x; a·c, b·c) for c > 0 [ours].

    Raises:
        ConfigurationError: the scale is not positive.
    """
    _require_positive(scale)
    return Pair(pair.a * scale, pair.b * scale)


def fold_output_scale(pair: Pair, scale: Number) -> Pair:
    """k·SALU(x; a, b) = SALU(x; k·a, b/k) for k > 0 [ours].

    Raises:
        ConfigurationError: the scale is not positive.
    """
    _require_positive(scale)
    return Pair(pair.a * scale, pair.b / scale)


def _require_positive(scale: Number) -> None:
    if not bool(torch.as_tensor(scale > 0).all()):
        raise ConfigurationError(
            f"Only a positive scale folds into (a, b); this one is {scale}. "
            "SALU is odd: fold the magnitude and keep the sign outside."
        )


def slope_from_output(y: Tensor, x: Tensor, a: Number) -> Tensor:
    """d/dx SALU = a·(y / (a·x))³ from the output y = SALU(x; a, b) alone; a at x = 0.

    Source: arXiv 2606.02927, equation 4 (the self-regulating gradient).
    """
    ratio = torch.where(x == 0, 1, y / torch.where(x == 0, 1, a * x))
    return a * ratio**3


def psi_slope(x: Number) -> Number:
    """ψ'(x) = sqrt(2/π)·(1 + 3·0.044715·x²), the slope of GALU's inner polynomial."""
    return SCALE * (1 + 3 * CUBIC * x * x)


def lipschitz_salu(pair: Pair) -> Number:
    """The Lipschitz constant of SALU: a, the slope at 0. Source: arXiv 2606.02927, equation 6."""
    return pair.a


def lipschitz_swalu(pair: Pair, radius: Number) -> Number:
    """(1 + S + a·R)/2 bounds the slope of SWALU for |x| <= R; after a SALU, R is that SALU's saturation.

    Source: arXiv 2606.02927, equations 12 and 14.
    """
    return (1 + geometry(pair).saturation + pair.a * radius) / 2


def lipschitz_galu(pair: Pair, radius: Number) -> Number:
    """(1 + S + a·R·ψ'(R))/2 bounds the slope of GALU for |x| <= R; after a SALU, R is that SALU's saturation.

    Source: arXiv 2606.02927, equations 13 and 15.
    """
    return (1 + geometry(pair).saturation + pair.a * radius * psi_slope(radius)) / 2


def small_variance_gain(pair: Pair, sigma_w: Number = 1.0) -> Number:
    """χ = σ_w²·a²: the factor on a small variance per layer; 1 at the edge of chaos. Source: equation 22."""
    return sigma_w**2 * pair.a**2


def variance_map(q: Number, pair: Pair, sigma_w: Number = 1.0) -> Tensor:
    """V(q) = σ_w²·E[SALU(√q·z; a, b)²] for z ~ N(0, 1): the variance after a layer, from the variance q before it.

    With c = a·b·q the mean is (a/b)·(1 - E[1/(1 + c·z²)]), and E[1/(1 + c·z²)] = √π·w·erfcx(w) with w = 1/√(2c) [ours:
    exact for every q; the paper leaves an integral]. V grows from χ·q for small q to σ_w²·a/b as q → ∞.

    Args:
        q: the variance before the layer, zero or more; any shape.
        pair: (a, b) of the SALU.
        sigma_w: the standard deviation of the weights, times the square root of the fan-in.

    Returns:
        float64, of the broadcast shape.

    Source: arXiv 2606.02927, equation 17.
    """
    q, a, b, sigma = (torch.as_tensor(v, dtype=torch.float64) for v in (q, *pair, sigma_w))
    c = a * b * q
    w = (2 * c).clamp_min(torch.finfo(torch.float64).tiny).rsqrt()
    closed = 1 - math.sqrt(math.pi) * w * torch.special.erfcx(w)
    # The difference cancels for small c; there six terms of the series of E[c·z²/(1 + c·z²)] give 13 digits.
    series = c * (1 - c * (3 - c * (15 - c * (105 - c * 945))))
    return sigma**2 * (a / b) * torch.where(c < 3e-4, series, closed)

"""The pieces of SALU and its gates inside a Triton kernel, in float32; defined in `zoo.numerics.saturating_unit`.

A hardware root is off by a unit in the last place. Where t must be exactly ±1 in the end, for a gate's limit at -inf,
`exact` sees to it; and S must be exactly 1 where a = b, so that its roots and their quotient are rounded correctly.
"""

import triton
import triton.language as tl

from zoo.numerics import constants

FLOOR = tl.constexpr(constants.FLOOR)
LIMIT = tl.constexpr(constants.LIMIT)
SATURATED = tl.constexpr(2.0**13)
LOWEST = tl.constexpr(constants.LOWEST)
PSI_BOUND = tl.constexpr(constants.BOUND)
PSI_CUBIC = tl.constexpr(constants.CUBIC)
PSI_SCALE = tl.constexpr(constants.SCALE)
# What tl.sum reduces with. tl.sum itself, like tl.zeros, is decorated when Triton is first imported, which may
# have been before the interpreter was chosen.
ADD = tl.standard._sum_combine


@triton.jit
def total(x):
    """The sum over all lanes."""
    return tl.reduce(x, 0, ADD)


@triton.jit
def pair(a, b):
    """Of the learned scalars at `a` and `b`: s = sqrt(a·b), S = sqrt(a/b), guarded a, and 1/(2·s) and -S/(2·b) signed.

    The last two are what is left of the scalars' slopes outside the sums over the elements. Without scalars all are 0.
    """
    if a is None:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    else:  # noqa: RET505 - the other branch is not compiled
        raw_a, raw_b = tl.load(a).to(tl.float32), tl.load(b).to(tl.float32)
        size_a = tl.maximum(tl.abs(raw_a), FLOOR, propagate_nan=tl.PropagateNan.ALL)
        size_b = tl.maximum(tl.abs(raw_b), FLOOR, propagate_nan=tl.PropagateNan.ALL)
        root_a, root_b = tl.sqrt_rn(size_a), tl.sqrt_rn(size_b)
        steepness, amplitude = root_a * root_b, tl.div_rn(root_a, root_b)
        slope_a = tl.where(raw_a < 0, -1.0, 1.0) / (2 * steepness)
        slope_b = tl.where(raw_b < 0, 1.0, -1.0) * (amplitude / (2 * size_b))
        return steepness, amplitude, size_a, slope_a, slope_b


@triton.jit
def unit(u):
    """t = u·r and r = 1 / sqrt(1 + u²), up to a unit in the last place."""
    u = tl.maximum(u, -LIMIT, propagate_nan=tl.PropagateNan.ALL)
    u = tl.minimum(u, LIMIT, propagate_nan=tl.PropagateNan.ALL)
    r = tl.rsqrt(1 + u * u)
    return u * r, r


@triton.jit
def exact(u):
    """The same t, and exactly ±1 where correct rounding gives that."""
    return tl.where(u >= SATURATED, 1.0, tl.where(u <= -SATURATED, -1.0, u * tl.rsqrt(1 + u * u)))


@triton.jit
def bounded(x):
    """x within ±BOUND, beyond which GALU's gate is saturated."""
    x = tl.maximum(x, -PSI_BOUND, propagate_nan=tl.PropagateNan.ALL)
    return tl.minimum(x, PSI_BOUND, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def psi(x):
    """GALU's cubic."""
    x = bounded(x)
    return PSI_SCALE * x * (1 + PSI_CUBIC * x * x)


@triton.jit
def relative_slope(x):
    """x·ψ'/ψ."""
    x = bounded(x)
    square = PSI_CUBIC * x * x
    return (1 + 3 * square) / (1 + square)


@triton.jit
def gated(x, t, amplitude):
    """x/2 · (1 + S·t), and 0 at x = -inf where S = 1."""
    lowest = tl.where(amplitude == 1, LOWEST, float("-inf"))
    return tl.maximum(x / 2, lowest, propagate_nan=tl.PropagateNan.ALL) * (1 + amplitude * t)

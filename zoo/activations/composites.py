"""Composite operators of residual networks: a stabiliser, perhaps a shortcut, and a gate in a row, each as one.

Each gives what the operators in it give one after another, up to one rounding less in 16 bits: what lies between
stays in float32. Fused, each reads its tensors once and writes one; for the backward pass it keeps only what it read.

Source: paper, section 3.1, for the order of stabiliser and gate; taking them together is ours.
"""

from torch import Tensor

from zoo.activations.dispatch import Kernel
from zoo.activations.recompute import lean, overridable
from zoo.numerics.precision import wide_dtype
from zoo.numerics.saturating_unit import Unit, gated, parameter_slopes, unit


def _gate_slopes(y: Tensor, at: Unit, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives of SWALU(y; c, d) by y, c and d; `at` is its unit."""
    dc, dd = parameter_slopes(at, c, d)
    return (1 + at.saturation * at.t * (1 + at.r * at.r)) / 2, y / 2 * dc, y / 2 * dd


def _stabilised(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Unit]:
    at = unit(x.to(wide_dtype(x)), a, b)
    return at.saturation * at.t, at


def _slopes(at: Unit, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives of SALU by x, a and b."""
    return at.a * at.r * at.r * at.r, *parameter_slopes(at, a, b)


def _pair(x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    y, _ = _stabilised(x, a, b)
    return gated(y, unit(y, c, d)).to(x.dtype)


def _pair_gradients(x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, ...]:
    y, inner = _stabilised(x, a, b)
    dy, dc, dd = _gate_slopes(y, unit(y, c, d), c, d)
    return *(dy * slope for slope in _slopes(inner, a, b)), dc, dd


def _add(x: Tensor, a: Tensor, b: Tensor, skip: Tensor, c: Tensor, d: Tensor) -> Tensor:
    y = _stabilised(x, a, b)[0] + skip
    return gated(y, unit(y, c, d)).to(x.dtype)


def _add_gradients(x: Tensor, a: Tensor, b: Tensor, skip: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, ...]:
    branch, inner = _stabilised(x, a, b)
    y = branch + skip
    dy, dc, dd = _gate_slopes(y, unit(y, c, d), c, d)
    return *(dy * slope for slope in _slopes(inner, a, b)), dy, dc, dd


def _join(x: Tensor, a: Tensor, b: Tensor, skip: Tensor, e: Tensor, f: Tensor, c: Tensor, d: Tensor) -> Tensor:
    y = _stabilised(x, a, b)[0] + _stabilised(skip, e, f)[0]
    return gated(y, unit(y, c, d)).to(x.dtype)


def _join_gradients(
    x: Tensor, a: Tensor, b: Tensor, skip: Tensor, e: Tensor, f: Tensor, c: Tensor, d: Tensor
) -> tuple[Tensor, ...]:
    (branch, left), (short, right) = _stabilised(x, a, b), _stabilised(skip, e, f)
    y = branch + short
    dy, dc, dd = _gate_slopes(y, unit(y, c, d), c, d)
    return *(dy * s for s in _slopes(left, a, b)), *(dy * s for s in _slopes(right, e, f)), dc, dd


_salu_swalu = lean(_pair, _pair_gradients, name="salu_swalu")
_salu_add_swalu = lean(_add, _add_gradients, name="salu_add_swalu")
_salu_add_salu_swalu = lean(_join, _join_gradients, name="salu_add_salu_swalu")

Coefficient = Tensor | float


@overridable
def salu_swalu(
    x: Tensor, a: Coefficient, b: Coefficient, c: Coefficient, d: Coefficient, *, kernel: Kernel | None = None
) -> Tensor:
    """SWALU(SALU(x; a, b); c, d), computed in float32 (float64 for float64 input).

    Args:
        x: any shape, floating point.
        a: of the stabiliser; a scalar, or a shape that broadcasts with x, as b, c and d. |a|, at least 1e-6, takes
            effect.
        b: of the stabiliser.
        c: of the gate.
        d: of the gate.
        kernel: as for `salu`.

    Returns:
        The shape and dtype of x; NaN only where x is NaN.

    Raises:
        TypeError: x is not floating point.
        ConfigurationError: `kernel` is "fused" and no kernel fits these inputs.

    Source: paper, section 3.1; the guard on the coefficients is ours.
    """
    return _salu_swalu(x, a, b, c, d, kernel=kernel)


@overridable
def salu_add_swalu(
    x: Tensor,
    a: Coefficient,
    b: Coefficient,
    skip: Tensor,
    c: Coefficient,
    d: Coefficient,
    *,
    kernel: Kernel | None = None,
) -> Tensor:
    """SWALU(SALU(x; a, b) + skip; c, d): the end of a residual block.

    Args:
        x: any shape, floating point; what leaves the last convolution.
        a: of the stabiliser; a scalar, as b, c and d.
        b: of the stabiliser.
        skip: the shortcut, of the shape of x.
        c: of the gate.
        d: of the gate.
        kernel: as for `salu`.

    Returns:
        The shape and dtype of x. +inf and -inf in `skip` meet the limits of SWALU.

    Raises:
        TypeError: x is not floating point.
        ConfigurationError: `kernel` is "fused" and no kernel fits these inputs.

    Source: paper, section 5.1; the guard on the coefficients is ours.
    """
    return _salu_add_swalu(x, a, b, skip, c, d, kernel=kernel)


@overridable
def salu_add_salu_swalu(
    x: Tensor,
    a: Coefficient,
    b: Coefficient,
    skip: Tensor,
    e: Coefficient,
    f: Coefficient,
    c: Coefficient,
    d: Coefficient,
    *,
    kernel: Kernel | None = None,
) -> Tensor:
    """SWALU(SALU(x; a, b) + SALU(skip; e, f); c, d): the end of a residual block whose shortcut is a projection.

    Args:
        x: any shape, floating point; what leaves the last convolution.
        a: of the stabiliser of the branch; a scalar, as b to f.
        b: of the stabiliser of the branch.
        skip: what leaves the projection, of the shape of x.
        e: of the stabiliser of the shortcut.
        f: of the stabiliser of the shortcut.
        c: of the gate.
        d: of the gate.
        kernel: as for `salu`.

    Returns:
        The shape and dtype of x; NaN only where x or `skip` is NaN.

    Raises:
        TypeError: x is not floating point.
        ConfigurationError: `kernel` is "fused" and no kernel fits these inputs.

    Source: paper, section 5.1; the guard on the coefficients is ours.
    """
    return _salu_add_salu_swalu(x, a, b, skip, e, f, c, d, kernel=kernel)

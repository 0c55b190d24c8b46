"""GALU(x; a, b) = x/2 · (1 + SALU(ψ(x); a, b)) with ψ(x) = sqrt(2/π)·(x + 0.044715·x³): GELU with a learned gate.

The gate of transformers; ψ is the argument of tanh in GELU's tanh form. The limits at ±inf are those of SWALU:
+inf gives +inf; -inf gives 0 where S = sqrt(a/b) = 1, -inf where S < 1 and +inf where S > 1.

Source: arXiv 2606.02927, section 3.2, equation 11. The initial values (0.5, 0.5) and the
overflow-free evaluation are ours.
"""

import torch
from torch import Tensor

from zoo.activations.dispatch import Kernel
from zoo.activations.learned_pair import LearnedPair
from zoo.activations.recompute import lean, overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, positive_pair
from zoo.numerics import constants as constants
from zoo.numerics.precision import floating, wide_dtype
from zoo.numerics.saturating_unit import gated, parameter_slopes, unit


def psi(x: Tensor) -> Tensor:
    """ψ(x) = sqrt(2/π)·(x + 0.044715·x³), with x clamped to ±2²⁰, where every gate is saturated."""
    x = x.clamp(-constants.BOUND, constants.BOUND)
    return constants.SCALE * x * (1 + constants.CUBIC * x * x)


def _formula(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    wide = x.to(wide_dtype(x))
    return gated(wide, unit(psi(wide), a, b)).to(x.dtype)


def _gradients(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx = (1 + SALU + x·ψ'·a/D^{3/2}) / 2; da and db are x/2 times those of SALU at ψ(x).

    With q = x·ψ'/ψ = (1 + 3kx²)/(1 + kx²), k = 0.044715, the last term of dx is S·t·r²·q: no factor can overflow.
    """
    wide = x.to(wide_dtype(x))
    at = unit(psi(wide), a, b)
    da, db = parameter_slopes(at, a, b)
    square = constants.CUBIC * wide.clamp(-constants.BOUND, constants.BOUND).square()
    q = (1 + 3 * square) / (1 + square)
    return (1 + at.saturation * at.t * (1 + q * at.r * at.r)) / 2, wide / 2 * da, wide / 2 * db


_galu = lean(_formula, _gradients, name="galu")


@overridable
def galu(x: Tensor, a: Tensor | float, b: Tensor | float, *, kernel: Kernel | None = None) -> Tensor:
    """x/2 · (1 + SALU(ψ(x); a, b)), computed in float32 (float64 for float64 input).

    Args:
        x: any shape, floating point.
        a: a scalar, or a shape that broadcasts with x. |a|, at least 1e-6, takes effect.
        b: like a.
        kernel: "plain" for the definition, "fused" for a fused kernel; None for what `kernel()` has set, first "auto".

    Returns:
        The dtype of x; NaN only where x is NaN. The limits at ±inf are those of the module docstring.

    Raises:
        TypeError: x is not floating point.
        ConfigurationError: `kernel` is "fused" and no kernel fits these inputs.

    Source: arXiv 2606.02927, equation 11; the guard on a and b is ours.

    >>> import torch
    >>> galu(torch.tensor([-torch.inf, 0.0, 2.0]), 0.5, 0.5)
    tensor([-0.0000, 0.0000, 1.6851])
    """
    return _galu(x, a, b, kernel=kernel)


class GALU(LearnedPair):
    """The module form of `galu`; fits `act_layer` of timm models.

    Its arguments are those of `LearnedPair`. The usual start is (a, b) = (0.5, 0.5) [ours].

    Source: arXiv 2606.02927, equation 11.
    """

    start = (0.5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return `galu(x)`: the shape and dtype of x, computed in float32 at least."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return _formula(floating(x), self.a, self.b).view_as(x)
        return galu(x, self.a, self.b)


ACTIVATIONS.add(
    "galu",
    ActivationSpec(
        name="galu",
        formula="x/2 · (1 + SALU(sqrt(2/π)·(x + 0.044715·x³); a, b))",
        functional=galu,
        module=GALU,
        parameters=positive_pair(*GALU.start),
        role="gate",
        source="arXiv 2606.02927, equation 11",
    ),
)

"""SWALU(x; a, b) = x/2 · (1 + SALU(x; a, b)), the gate of convolutional networks: Swish with a learned gate.

About x·(1 + S)/2 for large x and x·(1 - S)/2 for very negative x, S = sqrt(a/b). Limits: +inf gives +inf; -inf gives 0
where S = 1, -inf where S < 1 and +inf where S > 1. Two learned scalars a, b > 0 per module.

The product x·(1 + S·t) cancels for S = 1 and very negative x; the error stays within a few float32 ulps of |x|.

Source: arXiv 2606.02927, section 3.1, equation 9. The initial values (0.5, 0.5), so S = 1 and W = 2, are
ours: tanh(x/2) in Swish's gate has the same slope and bound.
"""

import torch
from torch import Tensor

from zoo.activations.dispatch import Kernel
from zoo.activations.learned_pair import LearnedPair
from zoo.activations.recompute import lean, overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, positive_pair
from zoo.numerics.precision import floating, wide_dtype
from zoo.numerics.saturating_unit import gated, parameter_slopes, unit


def _formula(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    wide = x.to(wide_dtype(x))
    return gated(wide, unit(wide, a, b)).to(x.dtype)


def _gradients(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx = (1 + SALU + a·x/D^{3/2}) / 2, with a·x/D^{3/2} = S·t·r²; da and db are x/2 times those of SALU."""
    wide = x.to(wide_dtype(x))
    at = unit(wide, a, b)
    da, db = parameter_slopes(at, a, b)
    return (1 + at.saturation * at.t * (1 + at.r * at.r)) / 2, wide / 2 * da, wide / 2 * db


_swalu = lean(_formula, _gradients, name="swalu")


@overridable
def swalu(x: Tensor, a: Tensor | float, b: Tensor | float, *, kernel: Kernel | None = None) -> Tensor:
    """x/2 · (1 + SALU(x; a, b)), computed in float32 (float64 for float64 input).

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

    Source: arXiv 2606.02927, equation 9; the guard on a and b is ours.

    >>> import torch
    >>> swalu(torch.tensor([-torch.inf, 0.0, 2.0]), 0.5, 0.5)
    tensor([-0.0000, 0.0000, 1.7071])
    """
    return _swalu(x, a, b, kernel=kernel)


class SWALU(LearnedPair):
    """The module form of `swalu`; fits `act_layer` of timm models.

    Its arguments are those of `LearnedPair`. The usual start is (a, b) = (0.5, 0.5) [ours].

    Source: arXiv 2606.02927, equation 9.
    """

    start = (0.5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return `swalu(x)`: the shape and dtype of x, computed in float32 at least."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return _formula(floating(x), self.a, self.b).view_as(x)
        return swalu(x, self.a, self.b)


ACTIVATIONS.add(
    "swalu",
    ActivationSpec(
        name="swalu",
        formula="x/2 · (1 + SALU(x; a, b))",
        functional=swalu,
        module=SWALU,
        parameters=positive_pair(*SWALU.start),
        role="gate",
        source="arXiv 2606.02927, equation 9",
    ),
)

"""SALU(x; a, b) = a·x / sqrt(1 + a·b·x²), the stabiliser: it stands where a normalisation layer stood.

Odd and increasing; slope a at 0; range (-S, S) with S = sqrt(a/b), reached at ±inf; linear for |x| well below
W = 1/sqrt(a·b). Two learned scalars a, b > 0 per module, shared by every element.

It is the inverse square root unit (ISRU, arXiv 1710.09967) with a learned gain: α = a·b, gain a. The Derf paper (arXiv
2512.10938) tried ISRU with an affine behind it as a replacement of LayerNorm in ViT-B: 82.3 % on ImageNet, level with
LayerNorm (tanh 82.6, erf 82.8).

Source: arXiv 2606.02927, section 2.1, equation 2. The initial values (1, 1) and the overflow-free evaluation are ours.
"""

import torch
from torch import Tensor

from zoo.activations.dispatch import Kernel
from zoo.activations.learned_pair import LearnedPair
from zoo.activations.recompute import lean, overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, positive_pair
from zoo.numerics.precision import floating, wide_dtype
from zoo.numerics.saturating_unit import parameter_slopes, unit


def _formula(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    at = unit(x.to(wide_dtype(x)), a, b)
    return (at.saturation * at.t).to(x.dtype)


def _gradients(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx = a / D^{3/2}; da and db in `parameter_slopes`."""
    at = unit(x.to(wide_dtype(x)), a, b)
    return at.a * at.r * at.r * at.r, *parameter_slopes(at, a, b)


_salu = lean(_formula, _gradients, name="salu")


@overridable
def salu(x: Tensor, a: Tensor | float, b: Tensor | float, *, kernel: Kernel | None = None) -> Tensor:
    """a·x / sqrt(1 + a·b·x²), computed in float32 (float64 for float64 input) and without overflow.

    Args:
        x: any shape, floating point.
        a: the slope at 0; a scalar, or a shape that broadcasts with x. |a|, at least 1e-6, takes effect.
        b: like a; the slope and b set the saturation sqrt(a/b).
        kernel: "plain" for the definition, "fused" for a fused kernel; None for what `kernel()` has set, first "auto".

    Returns:
        The dtype of x. ±inf gives ±sqrt(a/b), NaN stays NaN.

    Raises:
        TypeError: x is not floating point.
        ConfigurationError: `kernel` is "fused" and no kernel fits these inputs.

    Source: arXiv 2606.02927, equation 2; the guard on a and b is ours.

    >>> import torch
    >>> salu(torch.tensor([-torch.inf, 0.0, 1.0]), 1.0, 1.0)
    tensor([-1.0000,  0.0000,  0.7071])
    """
    return _salu(x, a, b, kernel=kernel)


class SALU(LearnedPair):
    """The module form of `salu`; fits `norm_layer` and `act_layer` of timm models.

    Its arguments are those of `LearnedPair`. It starts at (a, b) = (1, 1) [ours]; the zoo's networks start
    theirs at (1.5, 0.25), and at (1, 0.01) on the downsampling shortcuts of deep ones.

    Source: arXiv 2606.02927, equation 2.
    """

    start = (1.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return `salu(x)`: the shape and dtype of x, computed in float32 at least."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return _formula(floating(x), self.a, self.b).view_as(x)
        return salu(x, self.a, self.b)


ACTIVATIONS.add(
    "salu",
    ActivationSpec(
        name="salu",
        formula="a·x / sqrt(1 + a·b·x²)",
        functional=salu,
        module=SALU,
        parameters=positive_pair(*SALU.start),
        role="stabiliser",
        source="arXiv 2606.02927, equation 2",
    ),
)

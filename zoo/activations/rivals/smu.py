"""SMU(x) = ((1+α)·x + (1-α)·x·erf(μ·(1-α)·x)) / 2, a smooth Leaky ReLU with one learned scalar μ.

The larger |μ|, the closer to max(x, α·x). α is fixed.

Source: "Smooth Maximum Unit", CVPR 2022, arXiv 2111.04682. α = 0.01 and the initial μ = 2.5 are those of the public
implementation github.com/iFe1er/SMU_pytorch, which follows the later version of the paper (the first one had α = 0.25
and μ = 10⁶); the paper's text was not at hand to check.
"""

import torch
from torch import Tensor

from zoo.activations.recompute import beside, overridable
from zoo.activations.rivals.scalar_gate import SmoothMaximum
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.precision import wide_dtype

ALPHA = 0.01


@overridable
def smu(x: Tensor, mu: Tensor, alpha: float = ALPHA) -> Tensor:
    """((1+alpha)·x + (1-alpha)·x·erf(mu·(1-alpha)·x)) / 2, computed in float32 (float64 for float64 input).

    Args:
        x: any shape.
        mu: a scalar.
        alpha: the slope at the far left.

    Returns:
        The shape and dtype of x.

    Source: arXiv 2111.04682.
    """
    kind = wide_dtype(x)
    wide = x.to(kind)
    bent = (1 - alpha) * wide
    return (((1 + alpha) * wide + bent * torch.erf(beside(x, mu).to(kind) * bent)) / 2).to(x.dtype)


class SMU(SmoothMaximum):
    """The module form of `smu`; fits `act_layer` of timm models.

    Its arguments are those of `SmoothMaximum`.

    Source: arXiv 2111.04682.
    """

    initial = {"mu": 2.5}  # noqa: RUF012 - ClassVar in the base
    usual_alpha = ALPHA

    def forward(self, x: Tensor) -> Tensor:
        """Return `smu(x)`: the shape and dtype of x, computed in float32 at least."""
        return smu(x, self.mu, self.alpha)


ACTIVATIONS.add(
    "smu",
    ActivationSpec(
        name="smu",
        formula="((1+alpha)·x + (1-alpha)·x·erf(mu·(1-alpha)·x)) / 2",
        functional=smu,
        module=SMU,
        parameters=(ParameterSpec("mu", SMU.initial["mu"]),),
        role="gate",
        source="arXiv 2111.04682 (CVPR 2022)",
    ),
)

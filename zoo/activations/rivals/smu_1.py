"""SMU-1(x) = ((1+α)·x + sqrt((1-α)²·x² + μ²)) / 2, a smooth Leaky ReLU with one learned scalar μ.

The smaller |μ|, the closer to max(x, α·x). α is fixed.

Source: "Smooth Maximum Unit", CVPR 2022, arXiv 2111.04682. α = 0.01 and the initial μ are those of the public
implementation github.com/iFe1er/SMU_pytorch, which follows the later version of the paper (the first one had α = 0.25);
the paper's text was not at hand to check.
"""

from torch import Tensor

from zoo.activations.recompute import beside, overridable
from zoo.activations.rivals.scalar_gate import SmoothMaximum
from zoo.activations.rivals.smu import ALPHA
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.precision import wide_dtype

INITIAL = 4.332461424154261e-9
FLOOR = 1e-30
"""The least radicand [ours]: at x = μ = 0 the slope of the root would be infinite."""


@overridable
def smu_1(x: Tensor, mu: Tensor, alpha: float = ALPHA) -> Tensor:
    """((1+alpha)·x + sqrt((1-alpha)²·x² + mu²)) / 2, computed in float32 (float64 for float64 input).

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
    radicand = ((1 - alpha) * wide).square() + beside(x, mu).to(kind).square()
    return (((1 + alpha) * wide + radicand.clamp_min(FLOOR).sqrt()) / 2).to(x.dtype)


class SMU1(SmoothMaximum):
    """The module form of `smu_1`; fits `act_layer` of timm models.

    Its arguments are those of `SmoothMaximum`.

    Source: arXiv 2111.04682.
    """

    initial = {"mu": INITIAL}  # noqa: RUF012 - ClassVar in the base
    usual_alpha = ALPHA

    def forward(self, x: Tensor) -> Tensor:
        """Return `smu_1(x)`: the shape and dtype of x, computed in float32 at least."""
        return smu_1(x, self.mu, self.alpha)


ACTIVATIONS.add(
    "smu_1",
    ActivationSpec(
        name="smu_1",
        formula="((1+alpha)·x + sqrt((1-alpha)²·x² + mu²)) / 2",
        functional=smu_1,
        module=SMU1,
        parameters=(ParameterSpec("mu", INITIAL),),
        role="gate",
        source="arXiv 2111.04682 (CVPR 2022)",
    ),
)

"""StarReLU(x) = scale · max(x, 0)² + bias, with two learned scalars.

0.8944 and -0.4472 give mean 0 and variance 1 for standard normal x. timm has the module, which starts at (1, 0) and
turns float16 into float32; this one starts as the paper says and keeps the dtype.

Source: "MetaFormer Baselines for Vision", arXiv 2210.13452, section 2 (StarReLU).
"""

from torch import Tensor, nn

from zoo.activations.recompute import beside, overridable
from zoo.activations.rivals.scalar_gate import ScalarGate
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.precision import wide_dtype


@overridable
def star_relu(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """scale·max(x, 0)² + bias, computed in float32 (float64 for float64 input).

    Args:
        x: any shape.
        scale: a scalar.
        bias: a scalar.

    Returns:
        The shape and dtype of x.

    Source: arXiv 2210.13452.
    """
    kind = wide_dtype(x)
    square = x.to(kind).relu().square()
    return (beside(x, scale).to(kind) * square + beside(x, bias).to(kind)).to(x.dtype)


class StarReLU(ScalarGate):
    """The module form of `star_relu`; fits `act_layer` of timm models. Its arguments are those of `ScalarGate`.

    Source: arXiv 2210.13452.
    """

    scale: nn.Parameter
    bias: nn.Parameter
    initial = {"scale": 0.8944, "bias": -0.4472}  # noqa: RUF012 - ClassVar in the base

    def forward(self, x: Tensor) -> Tensor:
        """Return `star_relu(x)`: the shape and dtype of x, computed in float32 at least."""
        return star_relu(x, self.scale, self.bias)


ACTIVATIONS.add(
    "star_relu",
    ActivationSpec(
        name="star_relu",
        formula="scale · max(x, 0)² + bias",
        functional=star_relu,
        module=StarReLU,
        parameters=tuple(ParameterSpec(name, value) for name, value in StarReLU.initial.items()),
        role="gate",
        source="arXiv 2210.13452",
    ),
)

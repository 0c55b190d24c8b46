"""SE(x) = σ(W₂·ReLU(W₁·mean + b₁) + b₂) ⊙ x, squeeze and excitation: timm's own, here with its place in the registry.

No activation but a companion of one ("+SE-Net" in the FleS slides): it stands at the end of a residual branch, before
the sum, while ReLU stays. With reduction 16 at the end of every bottleneck ResNet-50 has the 28.1 M of the slides.

Source: "Squeeze-and-Excitation Networks", arXiv 1709.01507, section 3; timm.layers.SEModule.
"""

from timm.layers import SEModule
from torch import Tensor

from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec


def se(x: Tensor, scale: Tensor) -> Tensor:
    """x · scale.

    Args:
        x: (n, c, h, w).
        scale: (n, c, 1, 1), in [0, 1].

    Source: arXiv 1709.01507, equation 4.
    """
    return x * scale


ACTIVATIONS.add(
    "se",
    ActivationSpec(
        name="se",
        formula="sigmoid(W2 · ReLU(W1 · mean(x) + b1) + b2) · x",
        functional=se,
        module=SEModule,
        parameters=(
            ParameterSpec("fc1.weight", None, shape="kernel", weight_decay=True),
            ParameterSpec("fc1.bias", None, shape="channel"),
            ParameterSpec("fc2.weight", None, shape="kernel", weight_decay=True),
            ParameterSpec("fc2.bias", None, shape="channel"),
        ),
        role="attention",
        source="arXiv 1709.01507, section 3; timm.layers.SEModule",
        maps_only=True,
    ),
)

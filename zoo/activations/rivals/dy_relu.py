"""DY-ReLU-B(x) = max over k = 1, 2 of a_k·x + b_k, with slopes and offsets predicted for each sample and channel.

    θ = 2·σ(W₂·ReLU(W₁·mean + c₁) + c₂) - 1      with C // reduction units between
    a₁ = 1 + θ₁, a₂ = θ₂, b₁ = θ₃/2, b₂ = θ₄/2

At θ = 0 it is ReLU. Parameters: 5·C·m + m + 4·C for m = C // reduction units. The 27.6 M that the FleS slides print for
ResNet-50 are those of the DY-ReLU paper, whose baseline there has 23.5 M and so no classifier; which sites and which
reduction give them could not be established.

Source: "Dynamic ReLU", arXiv 2003.10027, section 3 (variant B: shared over space, for each channel; k = 2 pieces;
λ_a = 1, λ_b = 0.5, reduction 8).
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.channel_gate import ChannelGate, per_channel, require_count
from zoo.activations.channel_means import plain_mean
from zoo.activations.precise_linear import linear
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.precision import wide_dtype


@overridable
def dy_relu(x: Tensor, theta: Tensor, channel_axis: int = -1) -> Tensor:
    """max(a₁·x + b₁, a₂·x + b₂), computed in float32 (float64 for float64 input).

    Args:
        x: (n, ..., c, ...).
        theta: (n, 4·c) in [-1, 1]: for all channels the change of a₁ from 1 and of a₂ from 0, then twice b₁ and b₂.
        channel_axis: where the channels are.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: the axis of x does not hold c channels.

    Source: arXiv 2003.10027, equations 1 and 3.
    """
    c = theta.shape[1] // 4
    parts = (theta[:, k * c : (k + 1) * c] for k in range(4))
    a1, a2, b1, b2 = per_channel(x, channel_axis, *parts)
    wide = x.to(wide_dtype(x))
    return torch.maximum((1 + a1) * wide + b1 / 2, a2 * wide + b2 / 2).to(x.dtype)


class DyReLU(ChannelGate):
    """`dy_relu` with the network that predicts theta: the paper's variant B.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        reduction: num_features // reduction units (1 at least) predict theta.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` or `reduction` is not one positive integer.

    Source: arXiv 2003.10027.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        reduction: int = 8,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        units = max(1, self.num_features // require_count("DyReLU", "reduction", reduction))
        self.fc1 = nn.Linear(self.num_features, units, **place)
        self.fc2 = nn.Linear(units, 4 * self.num_features, **place)

    def reset_parameters(self) -> None:
        """Draw the network anew, as `nn.Linear` does."""
        self.fc1.reset_parameters()
        self.fc2.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated x: its shape and dtype, computed in float32 at least.

        Args:
            x: (n, ..., c, ...) with c on `channel_axis`.

        Raises:
            ShapeError: x has another shape.
        """
        mean = plain_mean(x, self.channel_axis, self.num_features)
        hidden = linear(mean, self.fc1.weight, self.fc1.bias).relu()
        theta = 2 * torch.sigmoid(linear(hidden, self.fc2.weight, self.fc2.bias)) - 1
        return dy_relu(x, theta, self.channel_axis)


ACTIVATIONS.add(
    "dy_relu",
    ActivationSpec(
        name="dy_relu",
        formula="max(a1(x) · x + b1(x), a2(x) · x + b2(x))",
        functional=dy_relu,
        module=DyReLU,
        parameters=(
            ParameterSpec("fc1.weight", None, shape="matrix", weight_decay=True),
            ParameterSpec("fc1.bias", None, shape="channel"),
            ParameterSpec("fc2.weight", None, shape="matrix", weight_decay=True),
            ParameterSpec("fc2.bias", None, shape="channel"),
        ),
        role="gate",
        source="arXiv 2003.10027, section 3, variant B",
        channelwise=True,
    ),
)

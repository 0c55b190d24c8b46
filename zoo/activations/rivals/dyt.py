"""DyT(x) = weight·tanh(alpha·x) + bias, a replacement of normalisation layers.

One learned scalar alpha, an affine per channel; range (bias - |weight|, bias + |weight|), reached at ±inf.

Source: "Transformers without Normalization", arXiv 2503.10622; the initial values alpha 0.5,
weight 1 and bias 0 are its own.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.channel_gate import channels, per_channel, require_finite
from zoo.activations.recompute import overridable
from zoo.activations.scalar_owner import ScalarOwner
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.precision import wide_dtype


@overridable
def dyt(x: Tensor, alpha: Tensor, weight: Tensor, bias: Tensor, channel_axis: int = -1) -> Tensor:
    """weight·tanh(alpha·x) + bias, computed in float32 (float64 for float64 input).

    Args:
        x: any shape whose `channel_axis` holds the channels: (n, t, c) tokens, or (n, c, h, w) maps with axis 1.
        alpha: a scalar.
        weight: (c,).
        bias: (c,).
        channel_axis: the axis of x that `weight` and `bias` run along.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.

    Source: arXiv 2503.10622.
    """
    gain, offset = per_channel(x, channel_axis, weight, bias)
    wide = x.to(wide_dtype(x))
    return (gain * torch.tanh(alpha.to(wide.dtype) * wide) + offset).to(x.dtype)


class DyT(ScalarOwner):
    """The module form of `dyt`; fits `norm_layer` of timm models.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        alpha: the initial alpha.
        eps: accepted because norm layers get it; not used, nothing is divided.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` is not one positive integer, or alpha is not finite.

    Source: arXiv 2503.10622.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        alpha: float = 0.5,
        eps: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.num_features = channels("DyT", num_features)
        self.channel_axis = channel_axis
        self.initial = require_finite("DyT", "alpha", alpha)
        self.alpha = nn.Parameter(torch.empty(1, **place))
        self.weight = nn.Parameter(torch.empty(self.num_features, **place))
        self.bias = nn.Parameter(torch.empty(self.num_features, **place))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set alpha to its initial value, weight to 1 and bias to 0."""
        nn.init.constant_(self.alpha, self.initial)
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return `dyt(x)`: the shape and dtype of x, computed in float32 at least."""
        return dyt(x, self.alpha, self.weight, self.bias, self.channel_axis)

    def extra_repr(self) -> str:
        """The number of channels and their axis."""
        return f"{self.num_features}, channel_axis={self.channel_axis}"


ACTIVATIONS.add(
    "dyt",
    ActivationSpec(
        name="dyt",
        formula="weight·tanh(alpha·x) + bias",
        functional=dyt,
        module=DyT,
        parameters=(
            ParameterSpec("alpha", 0.5),
            ParameterSpec("weight", 1.0, shape="channel"),
            ParameterSpec("bias", 0.0, shape="channel"),
        ),
        role="norm",
        channelwise=True,
        source="arXiv 2503.10622",
    ),
)

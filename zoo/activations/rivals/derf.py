"""Derf(x) = weight·erf(alpha·x + shift) + bias, a replacement of normalisation layers.

Two learned scalars alpha and shift, an affine per channel; range (bias - |weight|, bias + |weight|), reached at ±inf.

Source: "Stronger Normalization-Free Transformers", arXiv 2512.10938, equation 10; the initial values
alpha 0.5, shift 0, weight 1 and bias 0 are its own.
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
def derf(x: Tensor, alpha: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, channel_axis: int = -1) -> Tensor:
    """weight·erf(alpha·x + shift) + bias, computed in float32 (float64 for float64 input).

    Args:
        x: any shape whose `channel_axis` holds the channels: (n, t, c) tokens, or (n, c, h, w) maps with axis 1.
        alpha: a scalar.
        shift: a scalar.
        weight: (c,).
        bias: (c,).
        channel_axis: the axis of x that `weight` and `bias` run along.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.

    Source: arXiv 2512.10938, equation 10.
    """
    gain, offset = per_channel(x, channel_axis, weight, bias)
    wide = x.to(wide_dtype(x))
    return (gain * torch.erf(alpha.to(wide.dtype) * wide + shift.to(wide.dtype)) + offset).to(x.dtype)


class Derf(ScalarOwner):
    """The module form of `derf`; fits `norm_layer` of timm models.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        alpha: the initial alpha.
        shift: the initial shift.
        eps: accepted because norm layers get it; not used, nothing is divided.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` is not one positive integer, or alpha or shift is not finite.

    Source: arXiv 2512.10938.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        alpha: float = 0.5,
        shift: float = 0.0,
        eps: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.num_features = channels("Derf", num_features)
        self.channel_axis = channel_axis
        self.initial = (require_finite("Derf", "alpha", alpha), require_finite("Derf", "shift", shift))
        self.alpha = nn.Parameter(torch.empty(1, **place))
        self.shift = nn.Parameter(torch.empty(1, **place))
        self.weight = nn.Parameter(torch.empty(self.num_features, **place))
        self.bias = nn.Parameter(torch.empty(self.num_features, **place))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set alpha and shift to their initial values, weight to 1 and bias to 0."""
        nn.init.constant_(self.alpha, self.initial[0])
        nn.init.constant_(self.shift, self.initial[1])
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return `derf(x)`: the shape and dtype of x, computed in float32 at least."""
        return derf(x, self.alpha, self.shift, self.weight, self.bias, self.channel_axis)

    def extra_repr(self) -> str:
        """The number of channels and their axis."""
        return f"{self.num_features}, channel_axis={self.channel_axis}"


ACTIVATIONS.add(
    "derf",
    ActivationSpec(
        name="derf",
        formula="weight·erf(alpha·x + shift) + bias",
        functional=derf,
        module=Derf,
        parameters=(
            ParameterSpec("alpha", 0.5),
            ParameterSpec("shift", 0.0),
            ParameterSpec("weight", 1.0, shape="channel"),
            ParameterSpec("bias", 0.0, shape="channel"),
        ),
        role="norm",
        channelwise=True,
        source="arXiv 2512.10938, equation 10",
    ),
)

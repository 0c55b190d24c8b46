"""PReLU(x) = max(x, 0) + weight·min(x, 0), with one learned slope for each channel.

torch's module; the subclass here adds the choice of the channel axis, which torch fixes at 1.

Source: "Delving Deep into Rectifiers", arXiv 1502.01852, section 2.1: the slope starts at 0.25 and is not decayed.
"""

import torch
from torch import Tensor, nn

from zoo.activations.channel_gate import channels, per_channel, require_finite
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec

INITIAL = 0.25


@overridable
def prelu(x: Tensor, weight: Tensor, channel_axis: int = -1) -> Tensor:
    """max(x, 0) + weight·min(x, 0), computed in float32 (float64 for float64 input).

    Args:
        x: any shape whose `channel_axis` holds the channels.
        weight: (c,).
        channel_axis: the axis of x that `weight` runs along.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.

    Source: arXiv 1502.01852, equation 1.
    """
    (slope,) = per_channel(x, channel_axis, weight)
    # Not torch's function: it wants the channels on axis 1 and cannot be batched over weights by torch.func.vmap.
    wide = x.to(slope.dtype)
    return torch.where(wide < 0, slope * wide, wide).to(x.dtype)


class PReLU(nn.PReLU):
    """`torch.nn.PReLU` with a slope for each channel, on any axis.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        init: the initial slope.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameter lives.
        dtype: in which precision it is stored.

    Raises:
        ConfigurationError: `num_features` is not one positive integer, or `init` is not finite.

    Source: arXiv 1502.01852.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        init: float = INITIAL,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.channel_axis = channel_axis
        super().__init__(channels("PReLU", num_features), require_finite("PReLU", "init", init), device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return `prelu(x)`: the shape and dtype of x."""
        return prelu(x, self.weight, self.channel_axis)

    def extra_repr(self) -> str:
        """The number of channels and their axis."""
        return f"{self.num_parameters}, channel_axis={self.channel_axis}"


ACTIVATIONS.add(
    "prelu",
    ActivationSpec(
        name="prelu",
        formula="max(x, 0) + weight · min(x, 0)",
        functional=prelu,
        module=PReLU,
        parameters=(ParameterSpec("weight", INITIAL, shape="channel"),),
        role="gate",
        source="arXiv 1502.01852, equation 1; torch.nn.PReLU",
        channelwise=True,
    ),
)

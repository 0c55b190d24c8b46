"""FReLU(x) = max(x, BN(3×3 depthwise convolution of x)), the funnel activation, for maps only.

Parameters: 12·C (9 weights, a bias, two of the batch normalisation). Standing at every activation of the first three
stages of ResNet-50, as in its repository, it meets the 25.7 M of the FleS slides.

Source: "Funnel Activation for Visual Recognition", arXiv 2007.11824, section 3; github.com/megvii-model/FunnelAct.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.activations.channel_gate import ChannelGate
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.errors import ConfigurationError, ShapeError
from zoo.numerics.axes import split_axes
from zoo.numerics.precision import full_precision, wide_dtype


@overridable
def funnel(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The 3×3 depthwise convolution of (n, c, h, w), padded with zeros, in float32 at least."""
    if x.ndim != 4:
        raise ShapeError(f"The input has shape {tuple(x.shape)}; FReLU needs maps (n, c, h, w).")
    channels = weight.shape[0]
    split_axes(x, 1, channels)
    kind = wide_dtype(x)
    with full_precision(x):
        return F.conv2d(x.to(kind), weight.to(kind), bias.to(kind), padding=1, groups=channels)


@overridable
def frelu(x: Tensor, condition: Tensor) -> Tensor:
    """max(x, condition) in the dtype of x.

    Args:
        x: any shape.
        condition: the funnel condition, of the same shape.

    Source: arXiv 2007.11824, equation 2.
    """
    return torch.maximum(x.to(condition.dtype), condition).to(x.dtype)


class FReLU(ChannelGate):
    """`frelu` with the convolution and the batch normalisation that make its condition.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: 1, the only possible value.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` is not one positive integer, or the channel axis is another.

    Source: arXiv 2007.11824.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = 1,
        *,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        if channel_axis not in (1, -3):
            raise ConfigurationError(f"FReLU(channel_axis={channel_axis}): it takes (n, c, h, w) maps; use 1.")
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.conv = nn.Conv2d(self.num_features, self.num_features, 3, padding=1, groups=self.num_features, **place)
        self.bn = nn.BatchNorm2d(self.num_features, **place)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He-normal weights by fan_out, as the networks of the repository start all convolutions; bias within ±1/3."""
        self.conv.reset_parameters()
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        self.bn.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Return `frelu(x)`: the shape and dtype of x, computed in float32 at least.

        Args:
            x: (n, c, h, w).

        Raises:
            ShapeError: x has another shape.
        """
        assert self.conv.bias is not None
        pooled = funnel(x, self.conv.weight, self.conv.bias)
        return frelu(x, self.bn(pooled.to(self.bn.weight.dtype)))


ACTIVATIONS.add(
    "frelu",
    ActivationSpec(
        name="frelu",
        formula="max(x, BN(depthwise 3x3 convolution of x))",
        functional=frelu,
        module=FReLU,
        parameters=(
            ParameterSpec("conv.weight", None, shape="kernel", weight_decay=True),
            ParameterSpec("conv.bias", None, shape="channel"),
            ParameterSpec("bn.weight", 1.0, shape="channel"),
            ParameterSpec("bn.bias", 0.0, shape="channel"),
        ),
        role="gate",
        source="arXiv 2007.11824, section 3; github.com/megvii-model/FunnelAct",
        channelwise=True,
        maps_only=True,
    ),
)

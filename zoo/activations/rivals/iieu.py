"""IIEU-B, which weighs a feature by the cosine between the filter and what the filter saw: no drop-in for a gate.

With filter w, the patch a that it saw, x what came of it (after the normalisation), and a bound η for each channel:

    s = x / (|w|·|a|) + σ(LayerNorm(mean of x)) - η
    y = η·x·exp(s) where s < 0,   (η + s)·x elsewhere

The mean runs over the positions of a sample, the LayerNorm over its channels. η starts at 0.05, weight and bias of the
LayerNorm at 0.01 and 0. Parameters: 3·C, which meets the 25.6 M of the FleS slides for ResNet-50, where it stands
behind every convolution of a block and behind the shortcut's. Their 13.4 M for Swin-Min and 14.3 M for PoolFormer-S12
belong to another form, which is not published. IIEU-DC, which combines a branch and its shortcut, is not in the zoo.

Source: "IIEU: Rethinking Neural Feature Activation from Decision-Making", ICCV 2023, after its released code
github.com/SudongCAI/IIEU (resnet_iieub_timm.py).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.activations.channel_gate import ChannelVectors, per_channel
from zoo.activations.channel_means import plain_mean
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec
from zoo.numerics.precision import full_precision, wide_dtype

INITIAL = 0.01
BOUND = 0.05
NORM_EPS = 1e-6
EPS = 1e-8
"""Added to every length before the division, as in the released code."""


@overridable
def iieu(x: Tensor, cosine: Tensor, weight: Tensor, bias: Tensor, bound: Tensor, channel_axis: int = -1) -> Tensor:
    """The gate of the module docstring, computed in float32 (float64 for float64 input).

    Args:
        x: (n, ..., c, ...).
        cosine: x / (|w|·|a|), of the same shape.
        weight: (c,), of the LayerNorm.
        bias: (c,), of the LayerNorm.
        bound: (c,), η.
        channel_axis: where the channels are.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: x has no batch axis beside the channels, or the axis does not hold c channels.

    Source: IIEU, ICCV 2023, IIEU-B.
    """
    channels = weight.shape[0]
    mean = plain_mean(x, channel_axis, channels)
    shift = torch.sigmoid(F.layer_norm(mean, (channels,), weight.to(mean.dtype), bias.to(mean.dtype), NORM_EPS))
    moved, limit = per_channel(x, channel_axis, shift, bound)
    wide = x.to(wide_dtype(x))
    score = cosine.to(wide.dtype) + moved - limit
    return torch.where(score < 0, limit * wide * score.clamp_max(0).exp(), (limit + score) * wide).to(x.dtype)


def lengths(source: Tensor, layer: nn.Conv2d | nn.Linear) -> Tensor:
    """|w|·|a| for every output of a layer, in float32 at least.

    Args:
        source: what enters the layer, (n, c, h, w) or (n, ..., c).
        layer: the layer; a linear one has its channels on the last axis.

    Returns:
        A tensor that broadcasts with the output of the layer.
    """
    kind = wide_dtype(source)
    squares = source.to(kind).square()
    filters: Tensor = layer.weight.to(kind).flatten(1).norm(dim=1) + EPS
    patch: Tensor = squares.sum(-1, keepdim=True)
    if isinstance(layer, nn.Conv2d):
        window = torch.ones(1, 1, *layer.kernel_size, dtype=kind, device=source.device)
        with full_precision(source):
            patch = F.conv2d(
                squares.sum(1, keepdim=True), window, None, layer.stride, layer.padding, dilation=layer.dilation
            )
        filters = filters.view(1, -1, 1, 1)
    return filters * (patch.clamp_min(EPS * EPS).sqrt() + EPS)


class IIEU(ChannelVectors):
    """The module form of `iieu`; it is called with what entered the layer in front of it, and with that layer.

    Its arguments are those of `ChannelVectors`; `channel_axis` is 1 behind a convolution, -1 behind a linear layer.

    Source: IIEU, ICCV 2023.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    bound: nn.Parameter
    initial = {"weight": INITIAL, "bias": 0.0, "bound": BOUND}  # noqa: RUF012 - ClassVar in the base

    def forward(self, x: Tensor, source: Tensor, layer: nn.Conv2d | nn.Linear) -> Tensor:
        """Return `iieu(x)`: the shape and dtype of x, computed in float32 at least.

        Args:
            x: what came of the layer and the normalisation behind it, if there is one.
            source: what entered the layer.
            layer: the layer; its weight is read and gets a gradient from here too.

        Raises:
            ShapeError: x has another shape.
        """
        cosine = x.to(wide_dtype(x)) / lengths(source, layer)
        return iieu(x, cosine, self.weight, self.bias, self.bound, self.channel_axis)


ACTIVATIONS.add(
    "iieu",
    ActivationSpec(
        name="iieu",
        formula="(η + s) · x, or η · x · exp(s) for s < 0; s = cosine + sigmoid(LayerNorm(mean(x))) - η",
        functional=iieu,
        module=IIEU,
        parameters=IIEU.specs(),
        role="filter",
        source="IIEU-B, ICCV 2023; github.com/SudongCAI/IIEU",
        channelwise=True,
    ),
)

"""AdaShift-B(x) = σ(x + Δ)·x with Δ = LayerNorm(mean of x), a shift for each sample and channel.

The mean runs over the positions of a sample, the LayerNorm over its channels; its weight starts at 0.01 and its bias at
0, so a fresh AdaShift-B is close to SiLU. Parameters: 2·C, which meets the 25.6 M that the FleS slides print for
ResNet-50 ("AdaS"). Their 13.7 M for Swin-Min and 15.1 M for PoolFormer-S12 belong to a larger form, which we could not
establish: AdaShift-B gives 11.8 M and 11.9 M there. The paper's AdaShift-MA, with attention over a 7×7 grid of
regions, is not in the zoo: the released code holds many versions of it.

Source: "AdaShift: Learning Discriminative Self-Gated Neural Feature Activation With an Adaptive Shift Factor", CVPR
2024, pages 5947-5956, after its released code github.com/SudongCAI/AdaShift (resnet_adashiftb_timm.py).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.activations.channel_gate import ChannelVectors, per_channel
from zoo.activations.channel_means import plain_mean
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec
from zoo.numerics.precision import wide_dtype

INITIAL = 0.01
EPS = 1e-6


@overridable
def adashift(x: Tensor, weight: Tensor, bias: Tensor, channel_axis: int = -1) -> Tensor:
    """σ(x + LayerNorm(mean of x))·x, computed in float32 (float64 for float64 input).

    Args:
        x: (n, ..., c, ...); the mean runs over all axes but the batch and the channels.
        weight: (c,), of the LayerNorm.
        bias: (c,), of the LayerNorm.
        channel_axis: where the channels are.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: x has no batch axis beside the channels, or the axis does not hold c channels.

    Source: AdaShift, CVPR 2024, AdaShift-B.
    """
    channels = weight.shape[0]
    mean = plain_mean(x, channel_axis, channels)
    moved = F.layer_norm(mean, (channels,), weight.to(mean.dtype), bias.to(mean.dtype), EPS)
    (shift,) = per_channel(x, channel_axis, moved)
    wide = x.to(wide_dtype(x))
    return (torch.sigmoid(wide + shift) * wide).to(x.dtype)


class AdaShift(ChannelVectors):
    """The module form of `adashift`, AdaShift-B.

    Its arguments are those of `ChannelVectors`.

    Source: AdaShift, CVPR 2024.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    initial = {"weight": INITIAL, "bias": 0.0}  # noqa: RUF012 - ClassVar in the base

    def forward(self, x: Tensor) -> Tensor:
        """Return `adashift(x)`: the shape and dtype of x, computed in float32 at least."""
        return adashift(x, self.weight, self.bias, self.channel_axis)


ACTIVATIONS.add(
    "adashift",
    ActivationSpec(
        name="adashift",
        formula="sigmoid(x + LayerNorm(mean(x))) · x",
        functional=adashift,
        module=AdaShift,
        parameters=AdaShift.specs(),
        role="gate",
        source="AdaShift-B, CVPR 2024; github.com/SudongCAI/AdaShift",
        channelwise=True,
    ),
)

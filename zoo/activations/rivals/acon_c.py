"""ACON-C(x) = (p1 - p2)·x · σ(β·(p1 - p2)·x) + p2·x, with three learned values for each channel.

A smooth max(p1·x, p2·x): the larger β, the closer; β = 0 gives the mean of both.

Source: "Activate or Not: Learning Customized Activation", arXiv 2009.04759, section 3. p1 and p2 start as standard
normal numbers and β at 1, as in its repository github.com/nmaac/acon.
"""

import torch
from torch import Tensor, nn

from zoo.activations.channel_gate import ChannelVectors, per_channel
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec
from zoo.numerics.precision import wide_dtype


@overridable
def acon_c(x: Tensor, p1: Tensor, p2: Tensor, beta: Tensor, channel_axis: int = -1) -> Tensor:
    """(p1 - p2)·x·σ(beta·(p1 - p2)·x) + p2·x, computed in float32 (float64 for float64 input).

    Args:
        x: any shape whose `channel_axis` holds the channels.
        p1: (c,), the slope at one side.
        p2: (c,), the slope at the other.
        beta: (c,), or (n, c) where it is predicted for each sample.
        channel_axis: the axis of x that they run along.

    Returns:
        The shape and dtype of x.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.

    Source: arXiv 2009.04759, ACON-C.
    """
    first, second, switch = per_channel(x, channel_axis, p1, p2, beta)
    wide = x.to(wide_dtype(x))
    d = (first - second) * wide
    return (d * torch.sigmoid(switch * d) + second * wide).to(x.dtype)


class ACONC(ChannelVectors):
    """The module form of `acon_c`.

    Its arguments are those of `ChannelVectors`.

    Source: arXiv 2009.04759.
    """

    p1: nn.Parameter
    p2: nn.Parameter
    beta: nn.Parameter
    initial = {"p1": None, "p2": None, "beta": 1.0}  # noqa: RUF012 - ClassVar in the base

    def forward(self, x: Tensor) -> Tensor:
        """Return `acon_c(x)`: the shape and dtype of x, computed in float32 at least."""
        return acon_c(x, self.p1, self.p2, self.beta, self.channel_axis)


ACTIVATIONS.add(
    "acon_c",
    ActivationSpec(
        name="acon_c",
        formula="d · sigmoid(beta · d) + p2 · x, d = (p1 - p2) · x",
        functional=acon_c,
        module=ACONC,
        parameters=ACONC.specs(),
        role="gate",
        source="arXiv 2009.04759, section 3; github.com/nmaac/acon",
        channelwise=True,
    ),
)

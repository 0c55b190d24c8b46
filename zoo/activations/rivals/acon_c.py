"""ACON-C(x) = (p1 - p2)·x · σ(β·(p1 - p2)·x) + p2·x, with three learned values for each channel.

A smooth max(p1·x, p2·x): the larger β, the closer; β = 0 gives the mean of both.

Source: "Activate or Not: Learning Customized Activation", arXiv 2009.04759, section 3. p1 and p2 start as standard
normal numbers and β at 1, as in its repository github.com/nmaac/acon.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations._channels import ChannelGate, per_channel
from zoo.activations._lean import overridable, wide_dtype
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec


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


class ACONC(ChannelGate):
    """The module form of `acon_c`.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` is not one positive integer.

    Source: arXiv 2009.04759.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.p1 = nn.Parameter(torch.empty(self.num_features, **place))
        self.p2 = nn.Parameter(torch.empty(self.num_features, **place))
        self.beta = nn.Parameter(torch.empty(self.num_features, **place))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw p1 and p2 anew and set beta to 1."""
        nn.init.normal_(self.p1)
        nn.init.normal_(self.p2)
        nn.init.ones_(self.beta)

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
        parameters=(
            ParameterSpec("p1", None, shape="channel"),
            ParameterSpec("p2", None, shape="channel"),
            ParameterSpec("beta", 1.0, shape="channel"),
        ),
        role="gate",
        source="arXiv 2009.04759, section 3; github.com/nmaac/acon",
        channelwise=True,
    ),
)

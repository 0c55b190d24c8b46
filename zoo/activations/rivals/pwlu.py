"""PWLU(x): piecewise linear, with N intervals of equal length between two learned bounds, for each channel.

    d = (right - left) / N, i = interval of x, left end l_i = left + i·d
    y = points[i] + (points[i+1] - points[i])·(x - l_i)/d                between the bounds
    y = points[0] + slope_left·(x - left)                                to the left of them
    y = points[N] + slope_right·(x - right)                              to the right of them

It starts as ReLU, up to the interval that holds 0 where N is odd. The paper first trains with ReLU, collects mean and
deviation of each channel, and then sets the bounds to mean ± 3 deviations: `realign`. Parameters: (N + 5)·C. The FleS
slides print no count for it.

Source: "Learning Specialized Activation Functions with the Piecewise Linear Unit", arXiv 2104.03693, section 3. N = 16
and bounds ±3 before realignment (3 deviations of a standard normal input) are our choice.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.channel_gate import ChannelGate, per_channel, require_count
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.errors import ShapeError
from zoo.numerics.precision import wide_dtype

DEVIATIONS = 3.0
NARROWEST = 1e-4
"""The least distance of the bounds that takes effect [ours], so that the division is safe."""


@overridable
def pwlu(
    x: Tensor,
    points: Tensor,
    left: Tensor,
    right: Tensor,
    slope_left: Tensor,
    slope_right: Tensor,
    channel_axis: int = -1,
) -> Tensor:
    """The piecewise linear function of the module docstring, in float32 (float64 for float64 input).

    Args:
        x: any shape whose `channel_axis` holds the channels.
        points: (c, N + 1), the values at the ends of the intervals.
        left: (c,), where the first interval begins.
        right: (c,), where the last one ends; the interval is 1e-4 wide at least.
        slope_left: (c,), the slope to the left of the bounds.
        slope_right: (c,), the slope to the right of them.
        channel_axis: the axis of x that the channels run along.

    Returns:
        The shape and dtype of x; NaN where x is NaN.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.

    Source: arXiv 2104.03693, equation 1.
    """
    count = points.shape[1] - 1
    begin, end, falling, rising = per_channel(x, channel_axis, left, right, slope_left, slope_right)
    wide = x.to(wide_dtype(x))
    end = torch.maximum(end, begin + NARROWEST)
    place = (wide.clamp(begin, end) - begin) / (end - begin) * count
    # NaN has no interval; the sum below keeps it.
    index = place.detach().nan_to_num(0.0).floor().clamp(0, count - 1).long()
    row = torch.arange(points.shape[0], device=x.device) * (count + 1)
    first = index + row.view(begin.shape)
    table = points.to(wide.dtype).flatten()
    low, high = table[first], table[first + 1]
    inside = low + (high - low) * (place - index)
    outside = falling * (wide - begin).clamp_max(0) + rising * (wide - end).clamp_min(0)
    return (inside + outside).to(x.dtype)


class PWLU(ChannelGate):
    """The module form of `pwlu`.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        intervals: N.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` or `intervals` is not one positive integer.

    Source: arXiv 2104.03693.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        intervals: int = 16,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.intervals = require_count("PWLU", "intervals", intervals)
        self.points = nn.Parameter(torch.empty(self.num_features, self.intervals + 1, **place))
        self.left = nn.Parameter(torch.empty(self.num_features, **place))
        self.right = nn.Parameter(torch.empty(self.num_features, **place))
        self.slope_left = nn.Parameter(torch.empty(self.num_features, **place))
        self.slope_right = nn.Parameter(torch.empty(self.num_features, **place))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as ReLU with bounds ±3."""
        self.realign(torch.zeros_like(self.left), torch.ones_like(self.left))

    @torch.no_grad()
    def realign(self, mean: Tensor, deviation: Tensor) -> None:
        """Start as ReLU with bounds mean ± 3 deviations, the paper's statistic-based realignment.

        Args:
            mean: (c,), of what enters each channel.
            deviation: (c,), its standard deviation.

        Raises:
            ShapeError: one of them has another shape.
        """
        if mean.shape != self.left.shape or deviation.shape != self.left.shape:
            raise ShapeError(
                f"PWLU.realign got mean {tuple(mean.shape)} and deviation {tuple(deviation.shape)}; "
                f"give one number for each of the {self.num_features} channels."
            )
        self.left.copy_(mean - DEVIATIONS * deviation)
        self.right.copy_(mean + DEVIATIONS * deviation)
        steps = torch.linspace(0, 1, self.intervals + 1, device=self.left.device, dtype=self.left.dtype)
        self.points.copy_((self.left[:, None] + (self.right - self.left)[:, None] * steps).relu())
        self.slope_left.zero_()
        self.slope_right.fill_(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `pwlu(x)`: the shape and dtype of x, computed in float32 at least."""
        return pwlu(
            x, self.points, self.left, self.right, self.slope_left, self.slope_right, channel_axis=self.channel_axis
        )


ACTIVATIONS.add(
    "pwlu",
    ActivationSpec(
        name="pwlu",
        formula="piecewise linear between learned points",
        functional=pwlu,
        module=PWLU,
        parameters=(
            ParameterSpec("points", None, shape="matrix"),
            ParameterSpec("left", -DEVIATIONS, shape="channel"),
            ParameterSpec("right", DEVIATIONS, shape="channel"),
            ParameterSpec("slope_left", 0.0, shape="channel"),
            ParameterSpec("slope_right", 1.0, shape="channel"),
        ),
        role="gate",
        source="arXiv 2104.03693, section 3",
        channelwise=True,
    ),
)

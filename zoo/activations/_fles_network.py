"""The small network inside FleS: from the statistics of a sample's channels to its coefficients [ours].

The slides state the outer form and what the coefficients are predicted from. The network is chosen because it meets
every parameter count they print; the rank of the shift of "adas" is chosen so that its one row, 14.1 M, is met.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.activations._channels import per_channel
from zoo.activations._lean import overridable
from zoo.activations._precision import full_precision
from zoo.activations._statistics import plain_mean, positive_mean, split_axes
from zoo.activations.spec import ParameterSpec

Variant = Literal["fles", "dg", "pn", "proto", "adas"]
EPS = 1e-5
"""Of the LayerNorm over the channels' statistics, as torch's default."""
SHIFT_EPS = 1e-6
"""Of the LayerNorm that makes AdaShift's shift, as in its released code."""

SIDES: dict[str, str] = {
    "norm_weight": "c",
    "norm_bias": "c",
    "trunk_weight": "mc",
    "trunk_bias": "m",
    "gamma": "c",
    "lam": "c",
    "beta": "c",
    "vertical_weight": "cm",
    "horizontal_weight": "cm",
    "shift_down": "sc",
    "shift_up": "cs",
    "shift_weight": "c",
    "shift_bias": "c",
}
"""The sides of each parameter: c channels, m trunk units, s units of the shift."""

_RANDOM = ("trunk_weight", "shift_down")
_ONE = ("norm_weight", "gamma", "beta")


def _specs(*names: str) -> tuple[ParameterSpec, ...]:
    return tuple(
        ParameterSpec(
            name,
            None if name in _RANDOM else 1.0 if name in _ONE else 0.0,
            shape="matrix" if len(SIDES[name]) == 2 else "channel",
            weight_decay=len(SIDES[name]) == 2,
        )
        for name in names
    )


_NETWORK = tuple(name for name in SIDES if not name.startswith("shift"))
PARAMETERS: dict[Variant, tuple[ParameterSpec, ...]] = {
    "fles": _specs(*_NETWORK),
    "dg": _specs("gamma", "beta"),
    "pn": _specs(*_NETWORK),
    "proto": (),
    "adas": _specs(*SIDES),
}
"""What each variant learns."""


def trunk_units(channels: int) -> int:
    """m, the usual width of the trunk."""
    return max(32, channels // 32)


def shift_units(channels: int) -> int:
    """s, the rank of the projection in the shift of "adas"."""
    return max(32, channels // 24)


@overridable
def coefficients(
    x: Tensor,
    mask: Tensor | None,
    channels: int,
    channel_axis: int,
    variant: Variant,
    parameters: Mapping[str, Tensor],
    mean: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """κ_ve and κ_ho for x, in float32 at least, shaped to broadcast with x.

    Args:
        x: (n, ..., c, ...).
        mask: (n, *positions), nonzero where a position counts; None counts all.
        channels: c.
        channel_axis: where they are.
        variant: which statistics are used, and how.
        parameters: those of `PARAMETERS[variant]` by name.
        mean: the statistics t, (n, c), if they are known already; not for "dg" and "proto".

    Raises:
        ShapeError: x or the mask has another shape.
    """
    split_axes(x, channel_axis, channels)
    if variant == "dg":
        vertical, horizontal = parameters["gamma"], parameters["beta"]
    elif variant == "proto":
        t = positive_mean(x, channel_axis, channels, mask, over_batch=True)
        vertical = horizontal = 1 + F.layer_norm(t, (channels,), eps=EPS)
    else:
        statistic = plain_mean if variant == "pn" else positive_mean
        t = statistic(x, channel_axis, channels, mask) if mean is None else mean
        vertical, horizontal = _heads(t, parameters)
    vertical, horizontal = per_channel(x, channel_axis, vertical, horizontal)
    return vertical, horizontal


def _heads(t: Tensor, parameters: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both coefficients, (n, c) each, from the statistics t."""
    p = _in(t.dtype, parameters)
    with full_precision(t):
        level = F.layer_norm(t, t.shape[1:], p["norm_weight"], p["norm_bias"], EPS)
        trunk = F.silu(F.linear(level, p["trunk_weight"], p["trunk_bias"]))
        vertical = F.linear(trunk, p["vertical_weight"], p["gamma"]) + p["lam"] * level
        return vertical, F.linear(trunk, p["horizontal_weight"], p["beta"])


@overridable
def shift(x: Tensor, mask: Tensor | None, channels: int, channel_axis: int, parameters: Mapping[str, Tensor]) -> Tensor:
    """Δ = LayerNorm(μ + U·V·μ) of "adas", with μ the mean of each channel; arguments as for `coefficients`.

    Without U·V it is AdaShift-B's shift. weight and bias of the LayerNorm start at 0, so a fresh Δ is 0.
    """
    mean = plain_mean(x, channel_axis, channels, mask)
    p = _in(mean.dtype, parameters)
    with full_precision(mean):
        mixed = mean + F.linear(F.linear(mean, p["shift_down"]), p["shift_up"])
        moved = F.layer_norm(mixed, mixed.shape[1:], p["shift_weight"], p["shift_bias"], SHIFT_EPS)
    return per_channel(x, channel_axis, moved)[0]


def _in(dtype: torch.dtype, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: parameter.to(dtype) for name, parameter in parameters.items()}

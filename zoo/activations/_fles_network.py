"""The small network inside FleS: from the statistics of a sample's channels to its coefficients [ours].

The slides state the outer form and what the coefficients are predicted from. The network is chosen because it meets
every parameter count they print; the rank of the shift of "adas" is chosen so that its one row, 14.1 M, is met.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.jit import is_scripting  # type: ignore[attr-defined]
from torch.nn import functional as F

from zoo.activations import _constants as constants
from zoo.activations._channels import along_channels
from zoo.activations._lean import overridable
from zoo.activations._precision import full_precision
from zoo.activations._statistics import plain_mean, positive_mean, split_axes
from zoo.activations.spec import ParameterSpec

Variant = Literal["fles", "dg", "pn", "proto", "adas"]

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
POSITIVE: tuple[Variant, ...] = ("fles", "adas", "proto")
"""Variants whose t is a positive mean: it jumps by 1/k where one of k positive elements passes zero."""


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
    variant: str,
    parameters: dict[str, Tensor],
    mean: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """κ_ve and κ_ho for x, in float32 at least, shaped to broadcast with x.

    Compiled by torch.jit.script, the network follows autocast, from which it is kept out otherwise.

    Args:
        x: (n, ..., c, ...).
        mask: (n, *positions), nonzero where a position counts; None counts all.
        channels: c.
        channel_axis: where they are.
        variant: which statistics are used, and how.
        parameters: those of `PARAMETERS[variant]` by name.
        mean: the statistics t, (n, c), for "proto" (1, c), if they are known already; "dg" has none.

    Raises:
        ShapeError: x or the mask has another shape.
    """
    split_axes(x, channel_axis, channels)
    if variant == "dg":
        vertical, horizontal = parameters["gamma"], parameters["beta"]
    elif variant == "proto":
        t = positive_mean(x, channel_axis, channels, mask, over_batch=True) if mean is None else mean
        vertical = 1 + F.layer_norm(t, [channels])
        horizontal = vertical
    else:
        if mean is not None:
            t = mean
        elif variant == "pn":
            t = plain_mean(x, channel_axis, channels, mask)
        else:
            t = positive_mean(x, channel_axis, channels, mask)
        if is_scripting():
            vertical, horizontal = _heads(t, channels, parameters)
        else:
            with full_precision(t):
                vertical, horizontal = _heads(t, channels, parameters)
    return along_channels(x, channel_axis, vertical), along_channels(x, channel_axis, horizontal)


def _heads(t: Tensor, channels: int, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both coefficients, (n, c) each, from the statistics t."""
    p = _in(t.dtype, parameters)
    level = F.layer_norm(t, [channels], p["norm_weight"], p["norm_bias"])
    trunk = F.silu(F.linear(level, p["trunk_weight"], p["trunk_bias"]))
    vertical = F.linear(trunk, p["vertical_weight"], p["gamma"]) + p["lam"] * level
    return vertical, F.linear(trunk, p["horizontal_weight"], p["beta"])


@overridable
def shift(x: Tensor, mask: Tensor | None, channels: int, channel_axis: int, parameters: dict[str, Tensor]) -> Tensor:
    """Δ = LayerNorm(μ + U·V·μ) of "adas", with μ the mean of each channel; arguments as for `coefficients`.

    Without U·V it is AdaShift-B's shift. weight and bias of the LayerNorm start at 0, so a fresh Δ is 0.
    """
    mean = plain_mean(x, channel_axis, channels, mask)
    if is_scripting():
        moved = _moved(mean, channels, parameters)
    else:
        with full_precision(mean):
            moved = _moved(mean, channels, parameters)
    return along_channels(x, channel_axis, moved)


def _moved(mean: Tensor, channels: int, parameters: dict[str, Tensor]) -> Tensor:
    p = _in(mean.dtype, parameters)
    mixed = mean + F.linear(F.linear(mean, p["shift_down"]), p["shift_up"])
    return F.layer_norm(mixed, [channels], p["shift_weight"], p["shift_bias"], constants.SHIFT_EPS)


def _in(dtype: torch.dtype, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: parameter.to(dtype) for name, parameter in parameters.items()}

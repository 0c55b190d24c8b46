"""The small network inside FleS: from the statistics of a sample's channels to its coefficients.

μ and the softplus are those of [note], the network is ours; `zoo.activations.fles` states which formula comes from
where. The rank of the shift of "adas" is chosen so that its one printed row, 14.1 M, is met.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.jit import is_scripting  # type: ignore[attr-defined]
from torch.nn import functional as F

from zoo.activations.channel_gate import along_channels
from zoo.activations.channel_means import plain_mean, positive_mean
from zoo.activations.dispatch import exported
from zoo.activations.fles_start import initial_values
from zoo.activations.recompute import overridable
from zoo.activations.spec import ParameterSpec
from zoo.numerics import constants as constants
from zoo.numerics.axes import split_axes
from zoo.numerics.precision import full_precision, wide_dtype

Variant = Literal["fles", "dg", "pn", "proto", "adas"]

SIDES: dict[str, str] = {
    "vertical_bias": "c",
    "horizontal_bias": "c",
    "vertical_norm": "c",
    "horizontal_norm": "c",
    "trunk_norm": "c",
    "trunk_weight": "mc",
    "trunk_bias": "m",
    "vertical_weight": "cm",
    "horizontal_weight": "cm",
    "shift_down": "sc",
    "shift_up": "cs",
    "shift_norm": "c",
    "shift_bias": "c",
}
"""The sides of each parameter: c channels, m trunk units, s units of the shift.

The gammas and b₁ are the `*_bias`; `*_norm`, the alphas and w, weigh a normalised statistic. transformers' Trainer
decays no parameter of such a name."""

_RANDOM = ("trunk_weight", "shift_down")


def _specs(*names: str) -> tuple[ParameterSpec, ...]:
    values = initial_values("paper")
    return tuple(
        ParameterSpec(
            name,
            None if name in _RANDOM else values.get(name, 0.0),
            shape="matrix" if len(SIDES[name]) == 2 else "channel",
            weight_decay=len(SIDES[name]) == 2,
        )
        for name in names
    )


_NETWORK = tuple(name for name in SIDES if not name.startswith("shift"))
PARAMETERS: dict[Variant, tuple[ParameterSpec, ...]] = {
    "fles": _specs(*_NETWORK),
    "dg": _specs("vertical_bias", "horizontal_bias"),
    "pn": _specs(*_NETWORK),
    "proto": _specs("vertical_bias", "horizontal_bias", "vertical_norm", "horizontal_norm"),
    "adas": _specs(*SIDES),
}
"""What each variant learns; `initial` is that of start="paper"."""
POSITIVE: tuple[Variant, ...] = ("fles", "adas", "proto")
"""Variants whose t is a positive mean: it jumps by 1/k where one of k elements passes zero."""


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
    t = mean
    if variant == "pn" and t is None:
        t = plain_mean(x, channel_axis, channels, mask)
    elif variant != "dg" and t is None:
        t = positive_mean(x, channel_axis, channels, mask, over_batch=variant == "proto")
    p = _in(wide_dtype(x), parameters)
    if is_scripting():
        vertical, horizontal = _heads(t, variant == "pn", p)
    else:
        with full_precision(x):
            vertical, horizontal = _heads(t, variant == "pn", p)
    return along_channels(x, channel_axis, vertical), along_channels(x, channel_axis, horizontal)


def _heads(t: Tensor | None, signed: bool, p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both coefficients, (n, c) or (c,) each, from the statistics t, if there are any."""
    vertical, horizontal = p["vertical_bias"], p["horizontal_bias"]
    if t is not None:
        level = _relative(t, signed)
        if "trunk_weight" in p:
            trunk = F.silu(F.linear(p["trunk_norm"] * level, p["trunk_weight"], p["trunk_bias"]))
            vertical = F.linear(trunk, p["vertical_weight"], vertical)
            horizontal = F.linear(trunk, p["horizontal_weight"], horizontal)
        vertical, horizontal = vertical + p["vertical_norm"] * level, horizontal + p["horizontal_norm"] * level
    return F.softplus(vertical), F.softplus(horizontal)


def _relative(t: Tensor, signed: bool) -> Tensor:
    """μ: t over its mean over the channels, (n, c); 1 where that is below the smallest normal number [ours].

    Plain means, of "pn", may cancel, so the mean of their magnitudes divides them [ours].
    """
    least = constants.SMALLEST_NORMAL
    # Divided first, so that no sum overflows.
    size = ((t.abs() if signed else t) / t.shape[-1]).sum(-1, keepdim=True)
    if not signed:
        return t.clamp_min(least) / size.clamp_min(least)
    if not is_scripting():  # noqa: SIM102 - torch.jit.script would compile the inner condition
        if exported():  # without a comparison, which not every mobile runtime has
            return (t + (least - size.clamp_max(least))) / size.clamp_min(least)
    empty = size < least
    return torch.where(empty, 1.0, t / torch.where(empty, 1.0, size))


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
    return F.layer_norm(mixed, [channels], p["shift_norm"], p["shift_bias"], constants.SHIFT_EPS)


def _in(dtype: torch.dtype, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: parameter.to(dtype) for name, parameter in parameters.items()}

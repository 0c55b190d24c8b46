"""From what the probe saw at a slot to the module that will stand there."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from zoo.conversion.choose import Wish
from zoo.conversion.conversion_report import ConvertedSite
from zoo.conversion.example import mask_owner
from zoo.conversion.probe import RecordedCall, seen_span
from zoo.conversion.replaceable import norm_channels
from zoo.conversion.site_module import module_for, settled
from zoo.conversion.slots import Slot, ancestors
from zoo.conversion.target import Target
from zoo.errors import ConfigurationError, suggestion

Axis = int | Mapping[str, int] | None
USUAL_SPAN = (-8.0, 8.0)


@dataclass(frozen=True)
class ConversionPlan:
    """A site and what will be put there.

    Args:
        slot: where it lies.
        site: its entry in the report.
        module: the new one.
        layer: slot and new module of the layer that takes up what stood at the site; None for all but folded norms.
    """

    slot: Slot
    site: ConvertedSite
    module: nn.Module
    layer: tuple[Slot, nn.Module] | None = None


@dataclass(frozen=True)
class SlotSetting:
    """Settings common to all sites of one conversion.

    Args:
        model: the model.
        wish: what was asked for.
        axis: the user's word on channel axes: one for all, or by pattern.
        batch: samples in the example; None without one.
        ignore_padding: convert although masked positions will count.
    """

    model: nn.Module
    wish: Wish
    axis: Axis
    batch: int | None
    ignore_padding: bool


def plan_site(slot: Slot, kind: str, calls: Sequence[RecordedCall], setting: SlotSetting) -> ConversionPlan:
    """Make the module for one slot.

    Args:
        slot: where.
        kind: of what stands there.
        calls: what the probe saw; empty without a probe.
        setting: of the conversion.

    Raises:
        ZooError: with the reason why this one cannot become the target.
    """
    target = setting.wish.target
    channels, axis = _placed(slot, calls, setting)
    if target.mixes_positions:
        _check_positions(slot, calls, setting)
    site = ConvertedSite(
        path=slot.path,
        was=type(slot.module).__name__,
        kind=kind,
        became=target.name,
        num_features=channels if target.needs_channels else None,
        channel_axis=axis if target.needs_channels else None,
        steepness=target.steepness_for(kind),
        preserves=False,
        difference=None,
        calls=len(calls),
        aliases=slot.aliases,
        clip=target.clip_for(kind),
        span=seen_span(calls),
    )
    module = module_for(site, target)
    if not target.replaces_norms:
        usual, seen = (_difference(slot, module, channels, axis, calls, span) for span in (USUAL_SPAN, site.span))
        site = replace(site, preserves=usual == 0.0, difference=seen)
    return ConversionPlan(slot, site, settled(slot, module, setting.model, calls))


def _placed(slot: Slot, calls: Sequence[RecordedCall], setting: SlotSetting) -> tuple[int | None, int | None]:
    """The number of channels and their axis, as far as the target needs them."""
    target = setting.wish.target
    given = _given_axis(slot, setting.axis)
    if target.replaces_norms:
        if not target.needs_channels:
            return None, None
        channels, axis = norm_channels(slot.module)
        if channels is None:
            raise ConfigurationError(f"{type(slot.module).__name__} does not say how many channels it has")
        return channels, axis if given is None else given
    if not target.needs_channels:
        return None, given
    if not calls:
        raise ConfigurationError("the example pass never calls it, so its number of channels is unknown")
    axis = _axis(calls) if given is None else given
    for call in calls:
        if not -len(call.shape) <= axis < len(call.shape) or axis % len(call.shape) == 0:
            raise ConfigurationError(f"axis {axis} cannot hold the channels of {call.shape}, whose axis 0 is the batch")
    if target.maps_only and any(len(call.shape) != 4 or axis % 4 != 1 for call in calls):
        raise ConfigurationError(f"{target.name} takes (n, c, h, w) maps only; it receives {calls[0].shape}")
    sizes = sorted({call.shape[axis] for call in calls})
    if len(sizes) > 1:
        shown = " and ".join(map(str, sizes))
        raise ConfigurationError(
            f"one module is called {len(calls)} times in a pass, with {shown} channels, and a {target.name} has one "
            "number of channels. Give each call a module of its own"
        )
    return sizes[0], axis


def _given_axis(slot: Slot, axis: Axis) -> int | None:
    if axis is None or isinstance(axis, int):
        return axis
    return next((value for pattern, value in axis.items() if slot.matches(pattern)), None)


def _axis(calls: Sequence[RecordedCall]) -> int:
    """One index that means the channel axis in every call: -1 if that does, else counted from the front."""
    axes = [(1 if call.axis is None and len(call.shape) == 2 else call.axis, len(call.shape)) for call in calls]
    if any(axis is None for axis, _ in axes):
        shape = next(call.shape for call, (axis, _) in zip(calls, axes, strict=True) if axis is None)
        raise ConfigurationError(f"which axis of {shape} holds the channels is not clear; say it with channel_axis=...")
    fronts = {axis for axis, _ in axes}
    backs = {axis - ndim for axis, ndim in axes if axis is not None}
    if backs == {-1}:
        return -1
    if len(fronts) == 1 or len(backs) == 1:
        return int(fronts.pop() or 0) if len(fronts) == 1 else backs.pop()
    raise ConfigurationError(
        f"its calls hold the channels on different axes of {sorted({call.shape for call in calls})}"
    )


def _check_positions(slot: Slot, calls: Sequence[RecordedCall], setting: SlotSetting) -> None:
    """Refuse a gate that averages over positions where that would mix samples or count padding."""
    name, around = setting.wish.target.name, ancestors(setting.model, slot.path)
    owner = mask_owner(around)
    if owner is not None and not setting.ignore_padding:
        raise ConfigurationError(
            f"{name} averages over all positions, and {type(owner).__name__} would not tell it which are padding or, "
            "in a decoder, still to come: results would change with them. A BertModel can be converted by itself; "
            "ignore_padding=True converts others all the same"
        )
    attentions = [getattr(module, "self_attn", None) for module in around]
    if any(isinstance(module, nn.MultiheadAttention) and not module.batch_first for module in attentions):
        raise ConfigurationError("its layer has batch_first=False: axis 0 is not the batch, and samples would be mixed")
    for call in calls:
        if setting.batch and len(call.shape) > 2 and call.shape[0] != 1 and call.shape[0] % setting.batch:
            raise ConfigurationError(
                f"axis 0 of its input {call.shape} is not the batch of {setting.batch}, and samples would be mixed"
            )


@torch.no_grad()
def gate_difference(
    old: nn.Module, new: nn.Module, shape: Sequence[int], axis: int, span: tuple[float, float] | None = None
) -> float:
    """Largest |new - old| over 4,097 values of x in `span` for each channel, closest around 0, in eval mode.

    Args:
        old: what stands at the site; it is not touched.
        new: what will stand there.
        shape: of an input of the site.
        axis: where its channels lie.
        span: smallest and largest x; None for [-8, 8].
    """
    low, high = span or USUAL_SPAN
    ndim = len(shape)
    along = next((i for i in range(1, ndim) if i != axis % ndim), 0)  # a position, or the batch where there is none
    steps = torch.linspace(-1, 1, 4097) ** 3 * max(-low, high)
    ramp = steps.clamp(low, high).view([-1 if i == along else 1 for i in range(ndim)])
    # Channels of different scale, so that gates that compare channels show what they do.
    scale = torch.linspace(1, 0.5, shape[axis]).view([-1 if i == axis % ndim else 1 for i in range(ndim)])
    x = ramp * scale
    with torch.random.fork_rng([]):
        before = copy.deepcopy(old).to("cpu", torch.float32).eval()(x.clone())
        after = new.eval()(x)
    return float((after - before).abs().max())


def _difference(
    slot: Slot,
    module: nn.Module,
    channels: int | None,
    axis: int | None,
    calls: Sequence[RecordedCall],
    span: tuple[float, float] | None,
) -> float:
    """`gate_difference` at a slot; a former gate of ours knows its channels even where the new one needs none."""
    old: Any = slot.module
    axis = getattr(old, "channel_axis", -1) if axis is None else axis
    channels = getattr(old, "num_features", 8) if channels is None else channels
    ndim = len(calls[0].shape) if calls else 4
    shape = [1] * ndim
    shape[axis] = channels
    return gate_difference(old, module, shape, axis, span)


def check_axis(axis: Axis, target: Target) -> None:
    """Refuse a channel axis that cannot be one.

    Raises:
        ConfigurationError: it is no integer, no mapping from patterns to integers, or axis 0.
    """
    values = list(axis.values()) if isinstance(axis, Mapping) else [] if axis is None else [axis]
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or value == 0:
            raise ConfigurationError(
                f"convert(to={target.name!r}, channel_axis={axis!r}): give 1 for (n, c, h, w) maps, -1 for tokens, or "
                "a mapping from patterns of module names to such numbers. Axis 0 is the batch."
            )


def check_axis_patterns(axis: Axis, slots: Sequence[Slot]) -> None:
    """Refuse a pattern of `channel_axis` that fits no site.

    Raises:
        ConfigurationError: one does.
    """
    for pattern in axis if isinstance(axis, Mapping) else ():
        if not any(slot.matches(pattern) for slot in slots):
            near = suggestion(pattern, [slot.path for slot in slots])
            raise ConfigurationError(f"channel_axis: the pattern {pattern!r} fits no site. {near}")

"""The module that stands at a converted site, as its entry in the report says: when converting, and when loading."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from zoo.activations import ACTIVATIONS
from zoo.conversion.conversion_report import ConvertedSite
from zoo.conversion.probe import RecordedCall
from zoo.conversion.slots import Slot
from zoo.conversion.target import Target, started
from zoo.errors import ConfigurationError


class UpperClip(nn.Module):
    """min(x, ceiling): the part of ReLU6 that stays in front of a gate; NaN stays NaN.

    Args:
        ceiling: the largest output; the gradient is 0 above it.
    """

    def __init__(self, ceiling: float) -> None:
        super().__init__()
        self.ceiling = ceiling

    def forward(self, x: Tensor) -> Tensor:
        """Return min(x, ceiling), of the shape and dtype of x."""
        return x.clamp(max=self.ceiling)

    def extra_repr(self) -> str:
        """The ceiling."""
        return str(self.ceiling)


def module_for(site: ConvertedSite, target: Target) -> nn.Module:
    """The gate or norm replacement of a site, in float32 on the CPU; behind its clip, if it has one.

    Raises:
        ConfigurationError: the target's arguments do not fit the site.
    """
    axis = -1 if site.channel_axis is None else site.channel_axis
    module = target.make(site.num_features, axis, site.steepness)
    return module if site.clip is None else nn.Sequential(OrderedDict(clip=UpperClip(site.clip), act=module))


def settled(slot: Slot, module: nn.Module, model: nn.Module, calls: Sequence[RecordedCall] = ()) -> nn.Module:
    """The new module on the device, in the number type and in the mode of the one it replaces.

    Args:
        slot: where it will stand.
        module: the new one.
        model: of which a parameter is looked at where none is nearer.
        calls: what the probe saw at the slot; empty without a probe.

    Raises:
        ConfigurationError: the slot receives integers.
    """
    near = (*slot.module.parameters(), *slot.parent.parameters(), *model.parameters())
    own = next((p for p in near if p.is_floating_point()), None)
    device, dtype = (calls[0].device, calls[0].dtype) if calls else (None, None)
    if own is not None and (not calls or own in set(slot.module.parameters())):
        device, dtype = own.device, own.dtype
    if dtype is not None and not dtype.is_floating_point:
        raise ConfigurationError(f"it receives {dtype}, not floating-point numbers")
    return started(module.to(device=device, dtype=dtype)).train(slot.module.training)


def put_at(slot: Slot, site: ConvertedSite, module: nn.Module) -> None:
    """Put a site's module into its slot; behind a norm layer's, the dropout and activation that timm's hold stay."""
    norm = ACTIVATIONS.get(site.became).role != "gate"
    parts = slot.module.named_children() if norm else ()
    held = {name: part for name, part in parts if not isinstance(part, nn.Identity)}
    new = nn.Sequential(OrderedDict(norm=module, **held)) if held else module
    new.training = module.training
    slot.put(new)

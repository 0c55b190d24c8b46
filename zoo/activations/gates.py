"""Any gate by its name: `make_gate` knows which constructors need the number of channels and their axis."""

from torch import nn

from zoo.activations.spec import ACTIVATIONS, ActivationSpec
from zoo.errors import ConfigurationError, UnknownNameError


def list_gates() -> list[str]:
    """The names `make_gate` takes, sorted."""
    return [name for name in ACTIVATIONS if ACTIVATIONS.get(name).role == "gate"]


def gate_spec(name: str) -> ActivationSpec:
    """The registered gate of that name.

    Raises:
        UnknownNameError: no gate is called so; the nearest names are offered.
    """
    if name not in list_gates():
        raise UnknownNameError("gate", name, list_gates())
    return ACTIVATIONS.get(name)


def make_gate(name: str, num_features: int | None = None, channel_axis: int = -1, **kwargs: object) -> nn.Module:
    """A fresh gate for one site of a network; every call makes its own parameters.

    Args:
        name: one of `list_gates()`, such as "silu", "fles" or "meta_acon".
        num_features: the channels of what enters the gate; gates that learn nothing per channel ignore it.
        channel_axis: -1 for tokens (n, ..., c), 1 for (n, c, h, w) maps.
        **kwargs: arguments of that gate's constructor beyond these, such as `start="identity"` of "fles".

    Raises:
        UnknownNameError: no gate is called so; the nearest names are offered.
        ConfigurationError: the gate needs `num_features` or maps, or does not take one of the arguments.
    """
    spec = gate_spec(name)
    clash = sorted(spec.arguments.keys() & kwargs)
    if clash:
        raise ConfigurationError(f"make_gate({name!r}, {clash[0]}=...): the name fixes {clash[0]}; leave it out.")
    arguments = {**spec.arguments, **kwargs}
    if spec.maps_only and channel_axis not in (1, -3):
        raise ConfigurationError(
            f"make_gate({name!r}, channel_axis={channel_axis}): {name!r} looks at neighbouring pixels and takes "
            "(n, c, h, w) maps only. Use channel_axis=1, or another gate for tokens."
        )
    if not spec.channelwise:
        return _call(name, spec, **arguments)
    if num_features is None:
        raise ConfigurationError(f"make_gate({name!r}): {name!r} has parameters for each channel; give num_features.")
    return _call(name, spec, num_features, channel_axis, **arguments)


def _call(name: str, spec: ActivationSpec, *args: object, **kwargs: object) -> nn.Module:
    try:
        return spec.module(*args, **kwargs)
    except TypeError as error:
        raise ConfigurationError(f"make_gate({name!r}): {error}") from error

"""The pieces a backbone is assembled from: what stands at a normalisation site, and what gates.

A site is filled by calling a factory, so every site owns its module and its learned parameters.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.layers import GroupNorm1, LayerNorm, LayerNorm2d
from timm.models import register_notrace_module
from torch import nn

from zoo.activations.gates import gate_spec, make_gate
from zoo.activations.rivals.derf import Derf
from zoo.activations.rivals.dyt import DyT
from zoo.activations.salu import SALU
from zoo.activations.spec import ACTIVATIONS
from zoo.errors import ConfigurationError
from zoo.models.activation_layout import Vacancy, fill
from zoo.registry import Registry

Start = tuple[float, float]
Factory = Callable[..., nn.Module]

QUASI_LINEAR: Start = (1.0, 0.01)

# timm traces models with torch.fx; a learned activation is one node there, like any activation of torch.nn.
for _leaf in {ACTIVATIONS.get(name).module for name in ACTIVATIONS}:
    if _leaf.__module__.startswith("zoo."):  # those of torch and timm are theirs to decide on
        register_notrace_module(_leaf)

# A ReLU behind a convolution need not keep what it was given.
_INPLACE: dict[str, dict[str, Any]] = {"relu": {"inplace": True}}


@dataclass(frozen=True)
class Parts:
    """Parts that a backbone receives instead of names.

    Args:
        norm_name: one of `NORMS`.
        norm: called as `norm(num_features, ...)` at every normalisation site.
        act_name: one of `zoo.activations.list_gates()`.
        make_gate: called as `make_gate(num_features)` for every activation, once its width is known.
        placement: `device` and `dtype` of every part, as keyword arguments; empty for torch's defaults.
    """

    norm_name: str
    norm: Factory
    act_name: str
    make_gate: Callable[[int], nn.Module]
    placement: dict[str, Any]

    @staticmethod
    def gate(**_: Any) -> nn.Module:
        """Create a backbone's activation, which keeps the place until `fill_gates`."""
        return Vacancy()

    def fill_gates(self, model: nn.Module) -> None:
        """Put a gate of its own at every place that `gate` kept in a backbone."""
        fill(model, lambda site: self.make_gate(site.num_features))

    @property
    def learned_norm(self) -> bool:
        """True if SALU stands at the normalisation sites."""
        return self.norm_name == "salu"

    def quasi_linear_salu(self) -> nn.Module:
        """A SALU that starts almost linear, S = W = 10 [ours, for the paper's lost digits]."""
        return SALU(a=QUASI_LINEAR[0], b=QUASI_LINEAR[1]).to(**self.placement)


SALU_START = (1.5, 0.25)
"""Start (a, b) of a network's SALUs: the best of those measured in reports/salu_start_c18.json and
reports/salu_start_t.json [ours]. S = 2.4, W = 1.6; behind a He-initialised convolution and a gate of slope ½ a layer
has the gain a²/2 = 1.1."""
NORMS: Registry[Callable[[int, int], nn.Module]] = Registry("norm")
NORMS.add("salu", lambda features, axis: _started_salu(SALU_START, features, axis))
NORMS.add("batchnorm", lambda features, axis: nn.BatchNorm2d(features))
NORMS.add("groupnorm", lambda features, axis: GroupNorm1(features))
NORMS.add("layernorm", lambda features, axis: LayerNorm2d(features) if axis == 1 else LayerNorm(features))
NORMS.add("dyt", lambda features, axis: DyT(features, channel_axis=axis))
NORMS.add("derf", lambda features, axis: Derf(features, channel_axis=axis))


def make_parts(
    norm: str,
    act: str,
    *,
    channel_axis: int,
    salu_init: Start | None = None,
    gate_init: Start | None = None,
    act_args: Mapping[str, Any] | None = None,
    placement: dict[str, Any] | None = None,
) -> Parts:
    """Turn names into factories.

    Args:
        norm: a name of `NORMS`.
        act: a name of `zoo.activations.list_gates()`.
        channel_axis: where a backbone keeps its channels: 1 for images, -1 for tokens.
        salu_init: start values (a, b) of every SALU; None for `SALU_START`.
        gate_init: start values (a, b) of every SWALU or GALU; None for the module's own.
        act_args: further arguments of the gate's constructor, such as `start` of FleS.
        placement: `device` and `dtype` the parts are created with.

    Raises:
        UnknownNameError: no such norm or act.
        ConfigurationError: start values for a part that has none, or that are not positive and finite.
    """
    make_norm, arguments = NORMS.get(norm), {**_INPLACE.get(act, {}), **(act_args or {})}
    gate_spec(act)  # an unknown name is an error before anything is built
    if salu_init is not None:
        if norm != "salu":
            raise ConfigurationError(f"salu_init={salu_init} has no SALU to start: norm is {norm!r}. Leave it out.")
        make_norm = partial(_started_salu, _pair("salu_init", salu_init))
    if gate_init is not None:
        if act not in ("swalu", "galu"):
            raise ConfigurationError(f"gate_init={gate_init} has no (a, b) to start: act is {act!r}. Leave it out.")
        arguments["a"], arguments["b"] = _pair("gate_init", gate_init)

    taken = sorted(arguments.keys() & {"name", "num_features", "channel_axis"})
    if taken:
        raise ConfigurationError(f"act_args={dict(arguments)}: {taken[0]} is fixed by the backbone. Leave it out.")
    place = dict(placement or {})

    # timm hands its factories eps, inplace, device and dtype; what a part needs of these is fixed here.
    def norm_layer(num_features: int, **_: Any) -> nn.Module:
        return make_norm(num_features, channel_axis).to(**place)

    def gate(num_features: int) -> nn.Module:
        return make_gate(act, num_features, channel_axis, **arguments).to(**place)

    return Parts(norm, norm_layer, act, gate, place)


def _started_salu(start: Start, features: int, axis: int) -> nn.Module:
    return SALU(a=start[0], b=start[1])


def _pair(argument: str, start: Start) -> Start:
    try:
        a, b = (float(value) for value in start)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{argument}={start!r} is not a pair of numbers. Give (a, b).") from None
    if not all(math.isfinite(value) and value > 0 for value in (a, b)):
        raise ConfigurationError(f"{argument}={start!r}: a and b must be positive and finite.")
    return a, b

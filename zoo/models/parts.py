"""The pieces a backbone is assembled from: what stands at a normalisation site, and what gates.

A site is filled by calling a factory, so every site owns its module and its learned (a, b).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.layers import LayerNorm, LayerNorm2d
from timm.models import register_notrace_module
from torch import nn

from zoo._registry import Registry
from zoo.activations import GALU, SALU, SWALU
from zoo.activations.rivals.derf import Derf
from zoo.activations.rivals.dyt import DyT
from zoo.errors import ConfigurationError

Start = tuple[float, float]
Factory = Callable[..., nn.Module]

QUASI_LINEAR: Start = (1.0, 0.01)

# timm traces models with torch.fx; a learned activation is one node there, like any activation of torch.nn.
for _leaf in (SALU, SWALU, GALU, DyT, Derf):
    register_notrace_module(_leaf)


@dataclass(frozen=True)
class Parts:
    """What a backbone receives instead of names.

    Args:
        norm: called as `norm(num_features, ...)` at every normalisation site.
        gate: called as `gate(...)` at every activation.
        learned_norm: whether `norm` makes SALUs.
        placement: `device` and `dtype` of every part, as keyword arguments; empty for torch's defaults.
    """

    norm: Factory
    gate: Factory
    learned_norm: bool
    placement: dict[str, Any]

    def quasi_linear_salu(self) -> nn.Module:
        """A SALU that starts almost linear, S = W = 10 [ours, for the paper's lost digits]."""
        return SALU(a=QUASI_LINEAR[0], b=QUASI_LINEAR[1]).to(**self.placement)


NORMS: Registry[Callable[[int, int], nn.Module]] = Registry("norm")
NORMS.add("salu", lambda features, axis: SALU(features))
NORMS.add("batchnorm", lambda features, axis: nn.BatchNorm2d(features))
NORMS.add("layernorm", lambda features, axis: LayerNorm2d(features) if axis == 1 else LayerNorm(features))
NORMS.add("dyt", lambda features, axis: DyT(features, channel_axis=axis))
NORMS.add("derf", lambda features, axis: Derf(features, channel_axis=axis))

GATES: Registry[Callable[[], nn.Module]] = Registry("act")
GATES.add("swalu", SWALU)
GATES.add("galu", GALU)
GATES.add("relu", partial(nn.ReLU, inplace=True))
GATES.add("gelu", nn.GELU)
GATES.add("silu", nn.SiLU)


def make_parts(
    norm: str,
    act: str,
    *,
    channel_axis: int,
    salu_init: Start | None = None,
    gate_init: Start | None = None,
    placement: dict[str, Any] | None = None,
) -> Parts:
    """Turn names into factories.

    Args:
        norm: a name of `NORMS`.
        act: a name of `GATES`.
        channel_axis: where a backbone keeps its channels: 1 for images, -1 for tokens.
        salu_init: start values (a, b) of every SALU; None for the module's own.
        gate_init: start values (a, b) of every SWALU or GALU; None for the module's own.
        placement: `device` and `dtype` the parts are created with.

    Raises:
        UnknownNameError: no such norm or act.
        ConfigurationError: start values for a part that has none, or that are not positive and finite.
    """
    make_norm, make_gate = NORMS.get(norm), GATES.get(act)
    if salu_init is not None:
        if norm != "salu":
            raise ConfigurationError(f"salu_init={salu_init} has no SALU to start: norm is {norm!r}. Leave it out.")
        make_norm = _started(SALU, "salu_init", salu_init)
    if gate_init is not None:
        if act not in ("swalu", "galu"):
            raise ConfigurationError(f"gate_init={gate_init} has no (a, b) to start: act is {act!r}. Leave it out.")
        make_gate = _started(SWALU if act == "swalu" else GALU, "gate_init", gate_init)

    place = dict(placement or {})

    # timm hands its factories eps, inplace, device and dtype; what a part needs of these is fixed here.
    def norm_layer(num_features: int, **_: Any) -> nn.Module:
        return make_norm(num_features, channel_axis).to(**place)

    def act_layer(**_: Any) -> nn.Module:
        return make_gate().to(**place)

    return Parts(norm_layer, act_layer, norm == "salu", place)


def _started(cls: type[nn.Module], argument: str, start: Start) -> Callable[..., nn.Module]:
    """A factory of `cls` with (a, b) fixed; positional arguments of a site are of no use to it."""
    try:
        a, b = (float(value) for value in start)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{argument}={start!r} is not a pair of numbers. Give (a, b).") from None
    if not all(math.isfinite(value) and value > 0 for value in (a, b)):
        raise ConfigurationError(f"{argument}={start!r}: a and b must be positive and finite.")
    return lambda *_: cls(a=a, b=b)

"""Target of a conversion: a gate or a norm replacement by name, with what a conversion must know about it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.fles import GELU_STEEPNESS, FleS
from zoo.activations.galu import GALU
from zoo.activations.gates import make_gate
from zoo.activations.spec import ACTIVATIONS
from zoo.activations.swalu import SWALU
from zoo.errors import ConfigurationError, UnknownNameError

RELU_STEEPNESS = 16.0
"""κ_ho at the start where ReLU or ReLU6 stood [ours]: at most 0.0174 from ReLU, 0.2785/κ_ho, and κ_ho's own gradient,
which falls with its square, is not yet small. Top-1 (%) of tf_efficientnet_lite0 on 1,000 images, 87.4 with its ReLU6:
87.3 with a fresh FleS behind the clip. Without the clip 59.5, and 7.6, 38.6, 55.0, 58.6, 59.5, 59.7, 59.6 for κ_ho = 1,
2, 4, 8, 16, 32, 64."""
STEEPNESS = {
    "silu": 1.0,
    "gelu": GELU_STEEPNESS,
    "hardswish": 1.0,
    "mish": 1.25,
    "relu": RELU_STEEPNESS,
    "relu6": RELU_STEEPNESS,
}
"""κ_ho at the start by what stood at the site: 1 is SiLU itself, 1.702 the sigmoid form of GELU; Hardswish was made to
be like SiLU; 1.25 is nearest to Mish, by the largest difference [ours]."""

_WIDTH = 32  # channels of the small inputs below; a multiple of every reduction the gates use


def started(module: nn.Module) -> nn.Module:
    """The module with every FleS in it at its start again: the γ of 1 differs from one number type to another."""
    for part in module.modules():
        if isinstance(part, FleS):
            part.reset_parameters()
    return module


@dataclass(frozen=True)
class Target:
    """Gate or norm replacement that stands at a site after the conversion.

    Args:
        name: in `ACTIVATIONS`.
        arguments: of its constructor, the same at every site.

    Raises:
        UnknownNameError: there is no such activation or norm replacement.
        ConfigurationError: it does not take one of the arguments.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in ACTIVATIONS:
            raise UnknownNameError("conversion target", self.name, [*ACTIVATIONS, "salunet"])
        odd = [name for name, value in self.arguments.items() if not isinstance(value, bool | int | float | str | None)]
        if odd:
            raise ConfigurationError(
                f"convert(to={self.name!r}, {odd[0]}={self.arguments[odd[0]]!r}): give a number or a text, which the "
                "report can hold. Device and number type follow the model."
            )
        self._example_module()

    @property
    def replaces_norms(self) -> bool:
        """True if it stands where a norm layer stood, rather than an activation."""
        return ACTIVATIONS.get(self.name).role != "gate"

    @cached_property
    def needs_channels(self) -> bool:
        """True if it has something for each channel."""
        spec = ACTIVATIONS.get(self.name)
        return spec.channelwise or "channel_axis" in inspect.signature(spec.module).parameters

    @property
    def maps_only(self) -> bool:
        """True if it takes (n, c, h, w) maps only."""
        return ACTIVATIONS.get(self.name).maps_only

    @property
    def is_fles(self) -> bool:
        """True if it is FleS or a variant of it."""
        return ACTIVATIONS.get(self.name).module is FleS

    @property
    def variant(self) -> str:
        """The variant of FleS."""
        fixed = ACTIVATIONS.get(self.name).arguments.get("variant")
        return str(fixed or self.arguments.get("variant", "fles"))

    @cached_property
    def mixes_positions(self) -> bool:
        """True if an element's output depends on other positions of its sample, once trained."""
        x, axis = self._example_input(), 2 if self.maps_only else 1
        return self._differs(x, lambda whole: whole.narrow(axis, 0, 2), x.narrow(axis, 0, 2))

    @cached_property
    def mixes_samples(self) -> bool:
        """True if a sample's output depends on the other samples of its batch, once trained, in eval mode."""
        x = self._example_input()
        return self._differs(x, lambda whole: whole[:1], x[:1])

    def make(self, channels: int | None, axis: int, steepness: float | None = None) -> nn.Module:
        """A fresh module for one site, in float32 on the CPU.

        Raises:
            ConfigurationError: the arguments do not fit it.
        """
        arguments = dict(self.arguments)
        if self.is_fles:
            arguments = {"start": "identity", **arguments}
        if steepness is not None:
            arguments["steepness"] = steepness
        if not self.replaces_norms:
            return make_gate(self.name, channels, axis, **arguments)
        place = {"channel_axis": axis} if self.needs_channels else {}
        try:
            return ACTIVATIONS.get(self.name).module(channels, **place, **arguments)
        except TypeError as error:
            raise ConfigurationError(f"convert(to={self.name!r}): {error}") from error

    def steepness_for(self, kind: str) -> float | None:
        """κ_ho at the start where an activation of this kind stood; None where the target has none to choose.

        Raises:
            ConfigurationError: none is given and none is known.
        """
        if not self.is_fles or self.arguments.get("start") == "paper":
            return None
        if "steepness" in self.arguments:
            return float(self.arguments["steepness"])
        if kind not in STEEPNESS:
            raise ConfigurationError(f"no start of FleS is known where {kind!r} stood; give steepness=...")
        return STEEPNESS[kind]

    def clip_for(self, kind: str) -> float | None:
        """The bound of ReLU6, which stays in front of this project's own gates; None for other kinds and targets."""
        own = ACTIVATIONS.get(self.name).module in (FleS, SWALU, GALU)
        return 6.0 if kind == "relu6" and own else None

    def _example_module(self) -> nn.Module:
        with torch.random.fork_rng([]):
            return self.make(_WIDTH, 1 if self.maps_only else -1)

    def _example_input(self) -> Tensor:
        shape = (3, _WIDTH, 6, 6) if self.maps_only else (3, 6, _WIDTH)
        return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def _differs(self, x: Tensor, part: Callable[[Tensor], Tensor], alone: Tensor) -> bool:
        """True if a module with random parameters gives a part of x something else than it gives that part alone."""
        module = self._example_module().double().eval()
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
            return not torch.allclose(part(module(x)), module(alone), rtol=1e-6, atol=1e-9)

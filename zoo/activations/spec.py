"""What the rest of the project must know about an activation, and the registry that holds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from zoo._registry import Registry

Role = Literal["stabiliser", "gate", "norm"]
"""stabiliser: stands where a normalisation layer stood; gate: replaces ReLU or GELU; norm: a rival stabiliser."""


@dataclass(frozen=True)
class ParameterSpec:
    """One learned parameter of an activation.

    Args:
        name: its attribute on the module.
        initial: the value it starts at.
        shape: "scalar" (0-dim, shared by all elements) or "channel" (one value per channel).
        lr_factor: the learning rate of the weights is multiplied by this for it, unless a recipe says otherwise.
        weight_decay: whether weight decay applies to it.
        positive: whether it must stay positive while it is learned.
    """

    name: str
    initial: float
    shape: Literal["scalar", "channel"] = "scalar"
    lr_factor: float = 1.0
    weight_decay: bool = False
    positive: bool = False


@dataclass(frozen=True)
class ActivationSpec:
    """One activation or one replacement of a normalisation layer.

    Args:
        name: its public name, in lower case.
        formula: the definition, as one line of text.
        functional: `functional(x, *parameters)`, in the order of `parameters`.
        module: the module that owns the parameters.
        parameters: what is learned.
        role: where it stands in a network.
        source: the paper and section that define it.
    """

    name: str
    formula: str
    functional: Callable[..., Tensor]
    module: type[nn.Module]
    parameters: tuple[ParameterSpec, ...]
    role: Role
    source: str


ACTIVATIONS: Registry[ActivationSpec] = Registry("activation")


def positive_pair(a: float, b: float) -> tuple[ParameterSpec, ParameterSpec]:
    """The two scalars of SALU, SWALU, GALU: learning-rate factor 10 [ours: the digit is lost], no decay [paper]."""
    return (
        ParameterSpec("a", a, lr_factor=10.0, positive=True),
        ParameterSpec("b", b, lr_factor=10.0, positive=True),
    )

"""Specification of an activation for the rest of the project, and the registry that holds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from zoo.registry import Registry

Role = Literal["stabiliser", "gate", "norm", "attention", "filter"]
"""stabiliser: stands where a normalisation layer stood; gate: replaces ReLU or GELU; norm: a rival stabiliser;
attention: stands beside the gates, at the end of a residual branch; filter: a gate that must also be given its layer
and what entered that."""


@dataclass(frozen=True)
class ParameterSpec:
    """One learned parameter of an activation.

    Args:
        name: its attribute on the module.
        initial: the value it starts at; None where its elements differ.
        shape: "scalar" (one number, shared by all elements), "channel" (one value per channel), "matrix" (two sides) or
            "kernel" (of a convolution).
        lr_factor: the learning rate of the weights is multiplied by this for it, unless a recipe says otherwise.
        weight_decay: whether weight decay applies to it.
        positive: whether it must stay positive while it is learned.
    """

    name: str
    initial: float | None
    shape: Literal["scalar", "channel", "matrix", "kernel"] = "scalar"
    lr_factor: float = 1.0
    weight_decay: bool = False
    positive: bool = False


@dataclass(frozen=True)
class ActivationSpec:
    """One activation or one replacement of a normalisation layer.

    Args:
        name: its public name, in lower case.
        formula: the definition, as one line of text.
        functional: the formula as a function of x and its coefficients. SALU's family, DyT and Derf take their
            parameters in the order of `parameters`; a gate that predicts its coefficients takes those.
        module: the module that owns the parameters.
        parameters: what is learned.
        role: where it stands in a network.
        source: the paper and section that define it.
        channelwise: whether the constructor takes `(num_features, channel_axis)`; it takes neither otherwise.
        maps_only: whether it needs (n, c, h, w) maps, so `channel_axis` must be 1.
        arguments: what this row fixes of the constructor's arguments, such as `variant` of FleS. The module keeps each
            as an attribute of the same name.
    """

    name: str
    formula: str
    functional: Callable[..., Tensor]
    module: type[nn.Module]
    parameters: tuple[ParameterSpec, ...]
    role: Role
    source: str
    channelwise: bool = False
    maps_only: bool = False
    arguments: Mapping[str, object] = field(default_factory=dict)


ACTIVATIONS: Registry[ActivationSpec] = Registry("activation")


def positive_pair(a: float, b: float) -> tuple[ParameterSpec, ParameterSpec]:
    """The two scalars of SALU, SWALU, GALU: learning-rate factor 10 [ours: the digit is lost], no decay [paper]."""
    return (
        ParameterSpec("a", a, lr_factor=10.0, positive=True),
        ParameterSpec("b", b, lr_factor=10.0, positive=True),
    )

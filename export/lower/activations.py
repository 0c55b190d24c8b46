"""Our activations traced as one node each, so that passes can rewrite them before they are written out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from export.operators import ATTRIBUTES, DOMAIN, VERSION
from zoo.activations import GALU, SALU, SWALU, FleS
from zoo.activations._pair import LearnedPair
from zoo.activations._unit import guard

# Exactly these classes: a subclass may compute something else.
OPERATORS: dict[type[LearnedPair], str] = {SALU: "Salu", SWALU: "Swalu", GALU: "Galu"}


@contextmanager
def one_node_each(model: nn.Module) -> Iterator[None]:
    """Let every SALU, SWALU and GALU of `model` be traced as one node, and FleS as two, for the time of one export.

    FleS becomes PositiveMean, the network that predicts its coefficients, and FlesGate. Statistics of another kind (a
    mask, the variants without positive means) are traced as they are, and so is "adas", which has no such gate.

    The functional forms, called by a user's own module, are traced as the standard operators they consist of.
    """
    forwards = {module: _forward_of(module) for module in model.modules()}
    sites = {module: forward for module, forward in forwards.items() if forward is not None}
    try:
        for module, forward in sites.items():
            module.forward = forward
        yield
    finally:
        for module in sites:
            module.__dict__.pop("forward", None)


def _forward_of(module: nn.Module) -> Callable[..., Tensor] | None:
    if type(module) in OPERATORS:
        return _pair(module)
    if type(module) is FleS and module.variant != "adas":
        return _fles(module)
    return None


def _node(name: str, inputs: Sequence[Tensor], attributes: dict[str, Any], shape: Sequence[Any]) -> Tensor:
    made: Tensor = torch.onnx.ops.symbolic(
        f"{DOMAIN}::{name}", inputs, attributes, dtype=inputs[0].dtype, shape=shape, version=VERSION
    )
    return made


def _pair(module: nn.Module) -> Callable[..., Tensor]:
    """The module's forward as a node with its guarded a and b as numbers."""
    name = OPERATORS[type(module)]  # type: ignore[index]
    with torch.no_grad():
        values = {attribute: guard(getattr(module, attribute)).item() for attribute in ATTRIBUTES[name]}

    def forward(x: Tensor) -> Tensor:
        return _node(name, (x,), values, x.shape)

    return forward


def _fles(module: FleS) -> Callable[..., Tensor]:
    """The module's forward with its positive mean and its gate as nodes."""

    def forward(x: Tensor, mask: Tensor | None = None) -> Tensor:
        channels, mean = {"axis": module.channel_axis % x.ndim, "block": 1}, None
        if mask is None and module.variant == "fles":
            mean = _node("PositiveMean", (x,), channels, (x.shape[0], module.num_features))
        vertical, horizontal = module.coefficients(x, mask, mean)
        missing = (1,) * (x.ndim - vertical.ndim)
        vertical, horizontal = (value.view(*missing, *value.shape) for value in (vertical, horizontal))
        return _node("FlesGate", (x, vertical, horizontal), channels, x.shape)

    return forward

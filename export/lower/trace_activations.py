"""Our activations traced as one node each, so that passes can rewrite them before they are written out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from export.operators.nodes import ATTRIBUTES, DOMAIN, VERSION
from zoo.activations.fles import FleS, fles
from zoo.activations.fles_network import POSITIVE
from zoo.activations.galu import GALU
from zoo.activations.learned_pair import LearnedPair
from zoo.activations.salu import SALU
from zoo.activations.swalu import SWALU
from zoo.numerics.axes import along_positions
from zoo.numerics.operators import OPERATORS as ZOO_OPERATORS
from zoo.numerics.saturating_unit import guard

# Exactly these classes: a subclass may compute something else.
OPERATORS: dict[type[LearnedPair], str] = {
    kind: str(ZOO_OPERATORS[kind.__name__.lower()].node) for kind in (SALU, SWALU, GALU)
}


@contextmanager
def one_node_each(model: nn.Module) -> Iterator[None]:
    """Let every SALU, SWALU and GALU of `model` be traced as one node, and FleS as two, for the time of one export.

    FleS becomes PositiveMean, the network that predicts its coefficients, and FlesGate. Variants without positive means
    are traced without the first, "adas", whose gate is shifted, without the last.

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
    if type(module) is FleS:
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
        mean = _positive_mean(module, x, mask) if module.variant in POSITIVE else None
        vertical, horizontal = module.coefficients(x, mask, mean)
        if module.variant == "adas":
            return fles(x, vertical, horizontal, module.shift(x, mask))
        missing = (1,) * (x.ndim - vertical.ndim)
        vertical, horizontal = (value.view(*missing, *value.shape) for value in (vertical, horizontal))
        channels = {"axis": module.channel_axis % x.ndim, "block": 1}
        return _node("FlesGate", (x, vertical, horizontal), channels, x.shape)

    return forward


def _positive_mean(module: FleS, x: Tensor, mask: Tensor | None) -> Tensor:
    """The statistics as a node: masked positions are negative; over a batch, that is all of one sample."""
    axis = module.channel_axis % x.ndim
    if mask is not None:
        x = torch.where(along_positions(mask, x, axis), x, -1.0)
    if module.variant == "proto":
        x, axis = x[None], axis + 1
    return _node("PositiveMean", (x,), {"axis": axis, "block": 1}, (x.shape[0], module.num_features))

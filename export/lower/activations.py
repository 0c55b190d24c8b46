"""SALU, SWALU and GALU traced as one node each, so that passes can rewrite them before they are written out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from export.operators import ATTRIBUTES, DOMAIN, VERSION
from zoo.activations import GALU, SALU, SWALU
from zoo.activations._pair import LearnedPair
from zoo.activations._unit import guard

# Exactly these classes: a subclass may compute something else.
OPERATORS: dict[type[LearnedPair], str] = {SALU: "Salu", SWALU: "Swalu", GALU: "Galu"}


@contextmanager
def one_node_each(model: nn.Module) -> Iterator[None]:
    """Let every SALU, SWALU and GALU of `model` be traced as one node, for the time of one export.

    The functional forms, called by a user's own module, are traced as the standard operators they consist of.
    """
    sites = [module for module in model.modules() if type(module) in OPERATORS]
    try:
        for module in sites:
            module.forward = _symbolic(module)  # type: ignore[method-assign]
        yield
    finally:
        for module in sites:
            module.__dict__.pop("forward", None)


def _symbolic(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """The module's forward as a node with its guarded a and b as numbers."""
    name = OPERATORS[type(module)]  # type: ignore[index]
    with torch.no_grad():
        values: dict[str, Any] = {attribute: guard(getattr(module, attribute)).item() for attribute in ATTRIBUTES[name]}

    def forward(x: Tensor) -> Tensor:
        return torch.onnx.ops.symbolic(f"{DOMAIN}::{name}", (x,), values, dtype=x.dtype, shape=x.shape, version=VERSION)  # type: ignore[no-any-return]

    return forward

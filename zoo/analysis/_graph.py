"""A network as a graph of modules and operations, with the shape behind each step."""

from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from zoo.errors import ConfigurationError

_LEAVES = ("torch.nn.", "zoo.activations.")
_TRANSPARENT = (nn.Identity, nn.Dropout)


class _Tracer(fx.Tracer):
    """Steps into everything but torch's layers and this zoo's activations, whose rules are known."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        container = isinstance(m, nn.Sequential | nn.ModuleList)
        return type(m).__module__.startswith(_LEAVES) and not container


def traced(model: nn.Module, shape: tuple[int, ...]) -> fx.GraphModule:
    """The graph of a model in evaluation mode, with `tensor_meta` at every step for one image of `shape`.

    Args:
        model: in evaluation mode; the graph shares its parameters.
        shape: channels, height, width.

    Raises:
        ConfigurationError: the forward pass depends on values, so that there is no one graph.
    """
    try:
        graph = fx.GraphModule(model, _Tracer().trace(model))
        place = next(model.parameters())
        with torch.no_grad():
            ShapeProp(graph).propagate(torch.zeros(1, *shape, device=place.device, dtype=place.dtype))  # type: ignore[no-untyped-call]
    except (fx.proxy.TraceError, RuntimeError, TypeError) as error:
        raise ConfigurationError(f"{type(model).__name__} cannot be followed step by step: {error}") from error
    return graph


def shape_of(node: fx.Node) -> tuple[int, ...] | None:
    """The shape of what a step returns; None where that is no tensor."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", None)
    return None if shape is None else tuple(shape)


def module_of(graph: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module a step calls, or None for another kind of step."""
    return graph.get_submodule(str(node.target)) if node.op == "call_module" else None


def attached_weights(graph: fx.GraphModule, node: fx.Node) -> Iterator[tuple[str, fx.Node]]:
    """The convolutions and linear layers that stand directly before and after a step, dropout aside."""
    for side in ("before", "after"):
        near = node
        while True:
            steps = list(near.all_input_nodes if side == "before" else near.users)
            steps = [step for step in steps if shape_of(step) is not None]
            if len(steps) != 1:
                break
            near = steps[0]
            module = module_of(graph, near)
            if isinstance(module, nn.Conv2d | nn.Linear):
                yield side, near
            if not isinstance(module, _TRANSPARENT):
                break

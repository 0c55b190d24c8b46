"""Nodes that compute in integers: every layer with stored weights, and what stays among integers behind it."""

from dataclasses import dataclass

import onnx_ir as ir

from export.operators.nodes import is_operator
from export.passes.foldable_weights import KERNEL, given, is_layer
from export.passes.to_tables import TABLE_OPERATORS

# Standard operators with a kernel on uint8 that ONNX Runtime keeps in its integer layout.
_FOLLOWERS = {"Relu", "Add", "MaxPool", "AveragePool", "GlobalAveragePool"}


@dataclass(frozen=True)
class QuantizedSite:
    """Nodes that are quantised, or left in float32, as one.

    Args:
        name: the layer's node.
        nodes: names of all its nodes: a convolution with the activation, addition and pooling behind it, or a
            product alone.
    """

    name: str
    nodes: tuple[str, ...]


def find_sites(graph: ir.Graph) -> tuple[QuantizedSite, ...]:
    """The sites of a graph, in order.

    Conv gives integers to what follows it: operators of ours with a table, ReLU, additions and pools whose inputs are
    all integers, each counted to the site of its first input. Gemm and MatMul take integers and give float32: behind
    them stand softmax, LayerNorm and additions of a bias, which gain nothing and lose accuracy. Measured on
    SaluNet-T with random weights: tables behind its products cost 17 dB of the logits and save no time.

    Args:
        graph: standard operators and ours, in topological order; nodes and values have names.
    """
    sites: dict[str, list[str]] = {}
    integer: dict[ir.Value, str] = {}
    for node in graph:
        name, inputs = str(node.name), [value for value in node.inputs if value is not None]
        if _has_weights(node):
            sites[name] = [name]
            if node.op_type == "Conv":
                integer[node.outputs[0]] = name
        elif _can_follow(node) and inputs and all(value in integer for value in inputs):
            owner = integer[inputs[0]]
            sites[owner].append(name)
            integer[node.outputs[0]] = owner
    return tuple(QuantizedSite(name, tuple(nodes)) for name, nodes in sites.items())


def _has_weights(node: ir.Node) -> bool:
    weights = given(node, KERNEL.get(node.op_type)) if is_layer(node) else None
    return weights is not None and weights.is_initializer() and weights.dtype == ir.DataType.FLOAT


def _can_follow(node: ir.Node) -> bool:
    return is_operator(node, *TABLE_OPERATORS) or (node.domain == "" and node.op_type in _FOLLOWERS)

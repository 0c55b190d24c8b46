"""Helpers that passes share: who makes and who reads a value, and one node in the place of several."""

from collections.abc import Sequence

import onnx_ir as ir

from export.operators.nodes import is_operator


def only_reader(value: ir.Value, reader: ir.Node) -> bool:
    """True if `reader` alone reads a value, and the graph does not return it."""
    return not value.is_graph_output() and {use.node for use in value.uses()} == {reader}


def salu_before(value: ir.Value | None, reader: ir.Node) -> ir.Node | None:
    """The SALU that makes `value`, if `reader` alone reads it; otherwise it would have to stay."""
    node = value.producer() if value is not None else None
    return node if value is not None and is_operator(node, "Salu") and only_reader(value, reader) else None


def replace(graph: ir.Graph, old: Sequence[ir.Node], new: ir.Node) -> None:
    """Put `new` in the place of the chain `old`, whose last node's output it computes; notes are those of the last."""
    last = old[-1]
    new.metadata_props.update(last.metadata_props)
    ir.convenience.replace_nodes_and_values(graph, last, old, [new], last.outputs, new.outputs)

"""An operator of ours between integers becomes the one that looks its result up."""

import onnx_ir as ir

from export.operators.nodes import ATTRIBUTES, DOMAIN, VERSION, is_operator, values_of

TABLE_OPERATORS = {name.removeprefix("Q"): name for name in ATTRIBUTES if name.startswith("Q")}
"""The operators on float32 that have a twin on uint8, and the twins."""

_PREFIXES = ("x", "r")


class ToTables(ir.passes.InPlacePass):
    """QuantizeLinear(f(DequantizeLinear(x), ...)) becomes Qf(x, ...): a table, the same result.

    The table has 256 numbers, of two inputs 65,536. Done where every input comes from a DequantizeLinear of uint8 with
    one scale for the whole tensor, and nothing but one such QuantizeLinear reads the output.

    Source: ours; the tables are those of `export.native`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace in place."""
        replaced = False
        for node in list(model.graph):
            before = [value.producer() for value in node.inputs if value is not None]
            behind = _reader(node.outputs[0])
            if not is_operator(node, *TABLE_OPERATORS) or behind is None or not _is(behind, "QuantizeLinear"):
                continue
            if not all(_is(one, "DequantizeLinear") for one in before):
                continue
            made = _table_node(node, before, behind)  # type: ignore[arg-type]
            graph, old = model.graph, [node, behind]
            ir.convenience.replace_nodes_and_values(graph, behind, old, [made], behind.outputs, made.outputs)
            for one in set(before):
                if one is not None and not one.outputs[0].uses() and not one.outputs[0].is_graph_output():
                    graph.remove(one, safe=True)
            replaced = True
        return ir.passes.PassResult(model, modified=replaced)


def _table_node(node: ir.Node, before: list[ir.Node], behind: ir.Node) -> ir.Node:
    """The same operator on uint8, with the scales of what surrounds it."""
    attributes: dict[str, float | int] = dict(zip(ATTRIBUTES[node.op_type], values_of(node), strict=True))
    for prefix, scaled in [*zip(_PREFIXES, before, strict=False), ("y", behind)]:
        attributes |= {f"{prefix}_scale": float(_stored(scaled, 1)), f"{prefix}_zero_point": int(_stored(scaled, 2))}
    kind = TABLE_OPERATORS[node.op_type]
    ordered = {name: attributes[name] for name in ATTRIBUTES[kind]}
    made = ir.node(kind, [one.inputs[0] for one in before], ordered, domain=DOMAIN, version=VERSION, name=node.name)
    made.outputs[0].shape, made.outputs[0].type = node.outputs[0].shape, ir.TensorType(ir.DataType.UINT8)
    return made


def _reader(value: ir.Value) -> ir.Node | None:
    """Return the only node that reads a value; None if several or none do, or the graph returns it."""
    readers = {use.node for use in value.uses()}
    return next(iter(readers)) if len(readers) == 1 and not value.is_graph_output() else None


def _is(node: ir.Node | None, kind: str) -> bool:
    """True if a node converts between float32 and uint8 with one scale for the whole tensor."""
    if node is None or node.op_type != kind or len(node.inputs) != 3:
        return False
    zero = node.inputs[2].const_value if node.inputs[2] is not None else None
    return zero is not None and zero.dtype == ir.DataType.UINT8 and zero.size == 1


def _stored(node: ir.Node, position: int) -> float:
    value = node.inputs[position]
    assert value is not None  # `_is` has seen it
    assert value.const_value is not None
    return float(value.const_value.numpy().reshape(()))

"""Chains of elementwise nodes compute on a flat view of their maps."""

import numpy as np
import onnx_ir as ir

from export.passes._rewrite import only_reader
from export.passes.write_out import WRITTEN

CHAIN = frozenset(("Add", "Clip", "Div", "Max", "Mul", "Sqrt"))
"""What `WriteOut` leaves of SALU and its gates, and the additions between them."""


class FlattenChains(ir.passes.InPlacePass):
    """f(x) = reshape(f(reshape(x, (n, c·h·w))), (n, c, h, w)) for every f that looks at single elements.

    ONNX Runtime keeps convolutions in a blocked layout and would go through it again and again within such a chain, for
    the additions and products alone. A view of two axes has no such layout, and a Reshape copies nothing.

    1. A chain is what hangs together of nodes of `CHAIN` whose inputs are (n, c, h, w), all of the shape of the output
       and fixed but for n, or stored numbers. It must hold a node of `WriteOut`.
    2. A Clip that alone reads a convolution stays outside: the runtime computes it there.

    Source: ours.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Flatten in place."""
        graph = model.graph
        chains = [chain for chain in _chains(graph) if any(WRITTEN in node.metadata_props for node in chain)]
        shapes: dict[tuple[int, ...], ir.Value] = {}
        for chain in chains:
            _flatten(graph, chain, shapes)
        return ir.passes.PassResult(model, modified=bool(chains))


def _chains(graph: ir.Graph) -> list[list[ir.Node]]:
    """The nodes that belong together because one reads the other or both read the same."""
    root: dict[ir.Node | ir.Value, ir.Node | ir.Value] = {}

    def find(item: ir.Node | ir.Value) -> ir.Node | ir.Value:
        while root.setdefault(item, item) is not item:
            item = root[item]
        return item

    found = [node for node in graph if _fits(node)]
    for node in found:
        for value in (*_maps(node), *node.outputs):
            root[find(value)] = find(node)
    chains: dict[ir.Node | ir.Value, list[ir.Node]] = {}
    for node in found:
        chains.setdefault(find(node), []).append(node)
    return list(chains.values())


def _maps(node: ir.Node) -> list[ir.Value]:
    """Return the inputs of a node that are not stored."""
    return [value for value in node.inputs if value is not None and not value.is_initializer()]


def _fits(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type not in CHAIN:
        return False
    shape, numbers = node.outputs[0].shape, [v for v in node.inputs if v is not None and v.is_initializer()]
    if shape is None or len(shape) != 4 or not all(isinstance(size, int) for size in shape[1:]):
        return False
    if any(v.shape != shape for v in _maps(node)) or any(
        v.const_value is None or v.const_value.size != 1 for v in numbers
    ):
        return False
    before = _maps(node)[0].producer()
    return not (node.op_type == "Clip" and before is not None and before.op_type == "Conv"
                and only_reader(before.outputs[0], node))  # fmt: skip


def _flatten(graph: ir.Graph, chain: list[ir.Node], shapes: dict[tuple[int, ...], ir.Value]) -> None:
    inside, flat = set(chain), {}
    for node in chain:
        for i, value in enumerate(node.inputs):
            if value is None or value.is_initializer() or value.producer() in inside:
                continue
            if value not in flat:
                flat[value] = _reshape(graph, value, node, (0, -1), shapes, before=True)
            node.replace_input_with(i, flat[value])
    for node in chain:
        value = node.outputs[0]
        outside = [use for use in value.uses() if use.node not in inside]
        shape = value.shape
        if outside or value.is_graph_output():
            back = _reshape(graph, value, node, (0, *(int(size) for size in shape[1:])), shapes, before=False)
            for use in outside:
                use.node.replace_input_with(use.idx, back)
            back.name, value.name = value.name, f"{value.name} flat"
            for i, output in enumerate(graph.outputs):
                if output is value:
                    graph.outputs[i] = back
        value.shape = _flat(shape)


def _flat(shape: ir.Shape) -> ir.Shape:
    return ir.Shape([shape[0], int(np.prod([int(size) for size in shape[1:]]))])


def _reshape(
    graph: ir.Graph,
    value: ir.Value,
    beside: ir.Node,
    sizes: tuple[int, ...],
    shapes: dict[tuple[int, ...], ir.Value],
    before: bool,
) -> ir.Value:
    """A Reshape of a value next to a node; size 0 takes over that of the batch."""
    if sizes not in shapes:
        shapes[sizes] = ir.val(f"sizes_{len(shapes)}", const_value=ir.tensor(np.array(sizes, np.int64)))
        graph.register_initializer(shapes[sizes])
    node = ir.node("Reshape", [value, shapes[sizes]], metadata_props=dict(beside.metadata_props))
    node.outputs[0].type = value.type
    node.outputs[0].shape = _flat(value.shape) if sizes == (0, -1) else value.shape
    (graph.insert_before if before else graph.insert_after)(beside, [node])
    return node.outputs[0]

"""Our operators on uint8 inside ONNX Runtime's integer layout (NHWC), arranged on the machine that runs the file.

ONNX Runtime computes integer convolutions channels last, and transposes around every operator it does not know. So
stand-ins that it knows take our operators' places (QLinearSigmoid, and QLinearAdd for two inputs), it optimises and
saves the graph, and ours are put back. They are pointwise, so the order of the axes does not matter.
"""

import numpy as np
import onnx
import onnx_ir as ir

from export.errors import BlockedLayoutError
from export.layouts.optimised import optimised
from export.operators.nodes import DOMAIN, VERSION, is_operator
from export.passes.to_tables import TABLE_OPERATORS

_CONTRIB = "com.microsoft"
# By the number of inputs: the stand-in, and where each of them is among its inputs.
_STAND_INS = {1: ("QLinearSigmoid", (0,)), 2: ("QLinearAdd", (0, 3))}
_PREFIXES = ("x", "r")


def holds_tables(file: bytes) -> bool:
    """True if a file has operators of ours on uint8, which this module is for."""
    return any(n.domain == DOMAIN and n.op_type in _TABLES for n in onnx.load_from_string(file).graph.node)


def arrange(file: bytes) -> bytes | None:
    """The same graph in the integer layout, to be opened with ONNX Runtime's optimisation off.

    Returns:
        The arranged file, or None where ONNX Runtime keeps no convolution of the graph in that layout.

    Raises:
        BlockedLayoutError: what came back of the stand-ins is not what was put in.
    """
    model = ir.from_proto(onnx.load_from_string(file))
    sites = {f"salu_zoo_site_{i}": node for i, node in enumerate(n for n in model.graph if is_operator(n, *_TABLES))}
    kept = {name: (node.op_type, dict(node.attributes), len(node.inputs)) for name, node in sites.items()}
    numbers: dict[tuple[float | int, str], ir.Value] = {}
    for name, node in sites.items():
        _put_stand_in(model.graph, name, node, numbers)
    model.opset_imports[_CONTRIB] = 1
    arranged = ir.from_proto(optimised(ir.to_proto(model).SerializeToString()))
    if not any(_is_channels_last(node) for node in arranged.graph):
        return None
    for name, (operator, attributes, inputs) in kept.items():
        _put_back(arranged.graph, name, operator, attributes, inputs)
    arranged.opset_imports[DOMAIN] = VERSION
    arranged.metadata_props.update(model.metadata_props)
    return bytes(ir.to_proto(arranged).SerializeToString())


_TABLES = frozenset(TABLE_OPERATORS.values())


def _is_channels_last(node: ir.Node) -> bool:
    return (node.domain, node.op_type) == (_CONTRIB, "QLinearConv") and "channels_last" in node.attributes


def _put_stand_in(graph: ir.Graph, name: str, node: ir.Node, numbers: dict[tuple[float | int, str], ir.Value]) -> None:
    """A standard integer operator with the same inputs, scales and zero points."""

    def number(attribute: str, kind: str) -> ir.Value:
        stored = node.attributes[attribute]
        value = stored.as_float() if kind == "float32" else stored.as_int()
        if (value, kind) not in numbers:
            made = ir.val(f"salu_zoo_number_{len(numbers)}", const_value=ir.tensor(np.array(value, kind)))
            graph.register_initializer(made)
            numbers[value, kind] = made
        return numbers[value, kind]

    def scaled(prefix: str) -> list[ir.Value]:
        return [number(f"{prefix}_scale", "float32"), number(f"{prefix}_zero_point", "uint8")]

    inputs: list[ir.Value | None] = []
    for prefix, value in zip(_PREFIXES, node.inputs, strict=False):
        inputs += [value, *scaled(prefix)]
    kind, _ = _STAND_INS[len(node.inputs)]
    made = ir.node(kind, [*inputs, *scaled("y")], domain=_CONTRIB, version=1, name=name)
    made.outputs[0].shape, made.outputs[0].type = node.outputs[0].shape, node.outputs[0].type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [made], node.outputs, made.outputs)


def _put_back(graph: ir.Graph, name: str, operator: str, attributes: dict[str, ir.Attr], inputs: int) -> None:
    kind, places = _STAND_INS[inputs]
    found = next((node for node in graph if node.name == name and node.op_type == kind), None)
    if found is None:
        raise BlockedLayoutError(f"the stand-in {name} did not come back")
    given = [found.inputs[place] for place in places]
    made = ir.node(operator, given, attributes, domain=DOMAIN, version=VERSION, name=name)
    made.outputs[0].shape, made.outputs[0].type = found.outputs[0].shape, found.outputs[0].type
    ir.convenience.replace_nodes_and_values(graph, found, [found], [made], found.outputs, made.outputs)

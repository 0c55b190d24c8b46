"""Our operators inside ONNX Runtime's blocked convolution layout (NCHWc), arranged on the machine that runs the file.

At full optimisation ONNX Runtime keeps convolutions in a layout of its own and converts to and from it around every
operator it does not know. So stand-ins that it knows (Sigmoid, Tanh) take our operators' places, it optimises and saves
the graph, and ours are put back. They are pointwise and 0 at 0, so neither the layout nor channels of padding matter.
The result fits this processor and this release of ONNX Runtime only.
"""

import tempfile
from pathlib import Path

import onnx
import onnx_ir as ir
import onnxruntime

from export.errors import BlockedLayoutError
from export.operators import ATTRIBUTES, DOMAIN, VERSION, is_operator, make_node, values_of

# Conv takes these two in as its activation; where it does, its name tells which of ours it was.
_INNER, _OUTER = "Sigmoid", "Tanh"
_CONV_SUFFIX = "_nchwc"


def arrange(file: bytes) -> bytes | None:
    """The same graph in the blocked layout, to be opened with ONNX Runtime's optimisation off.

    Returns:
        The arranged file, or None where ONNX Runtime keeps no convolution of the graph in that layout.

    Raises:
        BlockedLayoutError: what came back of the stand-ins is not what was put in.
    """
    graph = ir.from_proto(onnx.load_from_string(file))
    if any(is_operator(n, "FlesGate", "PositiveMean") for n in graph.graph):
        return None
    sites = {f"salu_zoo_site_{i}": node for i, node in enumerate(n for n in graph.graph if is_operator(n))}
    values = {name: (node.op_type, values_of(node)) for name, node in sites.items()}
    for name, node in sites.items():
        _put_stand_in(graph.graph, name, node)
    graph.opset_imports.pop(DOMAIN, None)
    arranged = ir.from_proto(_optimised(ir.to_proto(graph).SerializeToString()))
    if not any(node.domain == "com.microsoft.nchwc" for node in arranged.graph):
        return None
    for name, (operator, numbers) in values.items():
        _put_back(arranged.graph, name, operator, numbers)
    arranged.opset_imports[DOMAIN] = VERSION
    arranged.metadata_props.update(graph.metadata_props)
    return bytes(ir.to_proto(arranged).SerializeToString())


def _put_stand_in(graph: ir.Graph, name: str, node: ir.Node) -> None:
    """Sigmoid for an operator of one input; Tanh(Sigmoid(x) + r) for SaluAddSwalu."""
    output = node.outputs[0]
    inner = ir.node(_INNER, node.inputs[:1], name=name)
    made = [inner]
    if node.op_type == "SaluAddSwalu":
        total = ir.node("Add", [inner.outputs[0], node.inputs[1]], name=f"{name}_add")
        made += [total, ir.node(_OUTER, total.outputs, name=f"{name}_outer")]
    for one in made:
        one.outputs[0].shape, one.outputs[0].type = output.shape, output.type
        one.outputs[0].name = f"{one.name}_value"
    ir.convenience.replace_nodes_and_values(graph, node, [node], made, [output], made[-1].outputs)
    # The values take the names of what they replace; the fused Conv is named after this one.
    made[-1].outputs[0].name = f"{made[-1].name}_value"


def _optimised(file: bytes) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(saved)
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])  # noqa: TID251 to save, not run
        return onnx.load(saved)


def _put_back(graph: ir.Graph, name: str, operator: str, numbers: tuple[float, ...]) -> None:
    inner = _restored(graph, name, operator, numbers)
    if operator != "SaluAddSwalu":
        return
    outer = next((node for node in graph if node.name == f"{name}_outer" and node.op_type == _OUTER), None)
    total = outer.inputs[0].producer() if outer is not None and outer.inputs[0] is not None else None
    if outer is None or total is None or total.op_type != "Add" or inner.outputs[0] not in total.inputs:
        raise BlockedLayoutError(f"the sum of {name} did not come back as it was")
    other = next(value for value in total.inputs if value is not inner.outputs[0])
    made = make_node(operator, [inner.inputs[0], other], numbers, outer.outputs[0])  # type: ignore[list-item]
    ir.convenience.replace_nodes_and_values(graph, outer, [inner, total, outer], [made], outer.outputs, made.outputs)


def _restored(graph: ir.Graph, name: str, operator: str, numbers: tuple[float, ...]) -> ir.Node:
    """Our node in the place of a stand-in: one of its own, or the activation of the convolution before it."""
    kind = operator if operator != "SaluAddSwalu" else "Salu"
    given = numbers[: len(ATTRIBUTES[kind])]
    for node in graph:
        if node.name == name and node.op_type == _INNER:
            made = make_node(kind, node.inputs, given, node.outputs[0])  # type: ignore[arg-type]
            ir.convenience.replace_nodes_and_values(graph, node, [node], [made], node.outputs, made.outputs)
            return made
        if node.name == f"{name}_value{_CONV_SUFFIX}" and node.attributes.get_string("activation") == _INNER:
            return _behind(graph, node, kind, given)
    raise BlockedLayoutError(f"the stand-in {name} did not come back")


def _behind(graph: ir.Graph, conv: ir.Node, kind: str, numbers: tuple[float, ...]) -> ir.Node:
    """Take the activation off a convolution and put our node behind it."""
    conv.attributes.pop("activation")
    output = conv.outputs[0]
    readers = [(use.node, use.idx) for use in output.uses()]
    made = make_node(kind, [output], numbers, output)
    for reader, position in readers:
        reader.replace_input_with(position, made.outputs[0])
    made.outputs[0].name = f"{output.name}_ours"
    graph.insert_after(conv, made)
    return made

"""Operators that ONNX Runtime knows in the places of ours, while it arranges a graph, and ours back in theirs."""

from collections.abc import Callable
from dataclasses import dataclass, field

import onnx_ir as ir

from export.errors import BlockedLayoutError
from export.operators.nodes import ATTRIBUTES, DOMAIN, VERSION, is_operator, make_node, values_of

NCHWC = "com.microsoft.nchwc"
# Conv takes the first in as its activation; where it does, its name tells which of ours it was.
_INNER, _OUTER = "Sigmoid", "Tanh"
_CONV_SUFFIX = "_nchwc"
_SITE = "salu_zoo_site"
_POINTWISE = ("Add", "Mul", "Relu", "Sigmoid", "Tanh", "QuickGelu")


@dataclass
class PlaceholderSite:
    """One operator of ours on (n, c, h, w) maps.

    Args:
        name: of its stand-in.
        node: the operator, in the graph as it was exported.
        channels: of a map.
        coefficients: names of what a gate reads beside the map.
        kept: those that are outputs of the graph for the time.
        output: the name of what the operator computes.
    """

    name: str
    node: ir.Node
    channels: int
    coefficients: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    output: str = field(init=False)

    def __post_init__(self) -> None:
        self.output = str(self.node.outputs[0].name)

    def put_in(self, graph: ir.Graph) -> None:
        """Replace the operator by stand-ins."""
        node, name = self.node, self.name
        inner = ir.node(_INNER, node.inputs[:1], name=name)
        made = [inner]
        if node.op_type == "SaluAddSwalu":
            total = ir.node("Add", [inner.outputs[0], node.inputs[1]], name=f"{name}_add")
            made += [total, ir.node(_OUTER, total.outputs, name=f"{name}_outer")]
        elif node.op_type == "PositiveMean":
            pooled = ir.node("GlobalAveragePool", node.inputs[:1], name=f"{name}_pool")
            made = [pooled, ir.node("Flatten", pooled.outputs, {"axis": 1}, name=f"{name}_flat")]
        elif node.op_type == "FlesGate":
            self._keep(graph)
        _replace(graph, node, made)

    def put_back(self, graph: ir.Graph, block: int) -> None:
        """Replace the stand-ins in the arranged graph by the operator.

        Raises:
            BlockedLayoutError: they did not come back as they were put in, or the channels do not fill their blocks.
        """
        operator = self.node.op_type
        if operator == "PositiveMean":
            return self._mean_back(graph, block)
        if operator == "FlesGate":
            return self._gate_back(graph, block)
        values = values_of(self.node)
        if operator != "SaluAddSwalu":
            _restored(graph, self.name, lambda x: make_node(operator, [x], values, x))
            return None
        first = values[: len(ATTRIBUTES["Salu"])]
        return self._sum_back(graph, _restored(graph, self.name, lambda x: make_node("Salu", [x], first, x)))

    def _sum_back(self, graph: ir.Graph, inner: ir.Node) -> None:
        outer = next((node for node in graph if node.name == f"{self.name}_outer" and node.op_type == _OUTER), None)
        total = outer.inputs[0].producer() if outer is not None and outer.inputs[0] is not None else None
        if outer is None or total is None or total.op_type != "Add" or inner.outputs[0] not in total.inputs:
            raise BlockedLayoutError(f"the sum of {self.name} did not come back as it was")
        other = next(value for value in total.inputs if value is not inner.outputs[0])
        inputs = [inner.inputs[0], other]
        made = make_node("SaluAddSwalu", inputs, values_of(self.node), outer.outputs[0])  # type: ignore[arg-type]
        ir.convenience.replace_nodes_and_values(
            graph, outer, [inner, total, outer], [made], outer.outputs, made.outputs
        )

    def _keep(self, graph: ir.Graph) -> None:
        """Let the coefficients of a gate be outputs for the time, since the stand-in does not read them."""
        for value in self.node.inputs[1:]:
            if value is None or value.producer() is None:
                raise BlockedLayoutError(f"the coefficients of {self.name} are constants")
            self.coefficients.append(str(value.name))
            if value not in graph.outputs:
                graph.outputs.append(value)
                self.kept.append(str(value.name))

    def _gate_back(self, graph: ir.Graph, block: int) -> None:
        outputs = {value.name: value for value in graph.outputs}
        if any(name not in outputs for name in self.coefficients):
            raise BlockedLayoutError(f"the coefficients of {self.name} did not come back")
        given = [outputs[name] for name in self.coefficients]
        _restored(graph, self.name, lambda x: self._with_channels(x, [x, *given], block))

    def _mean_back(self, graph: ir.Graph, block: int) -> None:
        flat = next((node for node in graph if node.name == f"{self.name}_flat" and node.op_type == "Flatten"), None)
        chain = [flat] if flat is not None else []
        while chain and chain[-1].op_type != "GlobalAveragePool":
            before = chain[-1].inputs[0].producer() if chain[-1].inputs[0] is not None else None
            if before is None or before.op_type not in ("GlobalAveragePool", "ReorderOutput"):
                raise BlockedLayoutError(f"the mean of {self.name} did not come back as it was")
            chain.append(before)
        if flat is None:
            raise BlockedLayoutError(f"the mean of {self.name} did not come back")
        x: ir.Value = chain[-1].inputs[0]  # type: ignore[assignment]
        made = self._with_channels(x, [x], block)
        ir.convenience.replace_nodes_and_values(graph, flat, chain, [made], flat.outputs, made.outputs)
        made.outputs[0].name = self.output  # by which parity finds the mean

    def _with_channels(self, x: ir.Value, inputs: list[ir.Value], block: int) -> ir.Node:
        """The operator on x, which is in blocks of channels or not."""
        stored = block if _is_blocked(x) else 1
        if self.channels % stored:
            raise BlockedLayoutError(f"{self.channels} channels of {self.name} are not whole blocks of {stored}")
        return ir.node(self.node.op_type, inputs, {"axis": 1, "block": stored}, domain=DOMAIN, version=VERSION)


def sites_of(graph: ir.Graph) -> list[PlaceholderSite]:
    """The operators of ours whose inputs are maps with the channels on axis 1; others have no layout to gain."""
    found: list[PlaceholderSite] = []
    for node in graph:
        shape = node.inputs[0].shape if is_operator(node) and node.inputs[0] is not None else None
        if shape is None or len(shape) != 4 or not isinstance(shape[1], int):
            continue
        axis = node.attributes.get("axis")
        if axis is None or axis.as_int() in (1, -3):
            found.append(PlaceholderSite(f"{_SITE}_{len(found)}", node, shape[1]))
    return found


def _replace(graph: ir.Graph, node: ir.Node, made: list[ir.Node]) -> None:
    output = node.outputs[0]
    for one in made:
        one.outputs[0].type = output.type
        if one.op_type != "GlobalAveragePool":
            one.outputs[0].shape = output.shape
        one.outputs[0].name = f"{one.name}_value"
    ir.convenience.replace_nodes_and_values(graph, node, [node], made, [output], made[-1].outputs)
    # The values take the names of what they replace; the fused Conv is named after this one.
    made[-1].outputs[0].name = f"{made[-1].name}_value"


def _restored(graph: ir.Graph, name: str, make: Callable[[ir.Value], ir.Node]) -> ir.Node:
    """Our node in the place of a stand-in: one of its own, or the activation of the convolution before it."""
    for node in graph:
        if node.name == name and node.op_type == _INNER:
            made = make(node.inputs[0])  # type: ignore[arg-type]
            ir.convenience.replace_nodes_and_values(graph, node, [node], [made], node.outputs, made.outputs)
            return made
        if node.name == f"{name}_value{_CONV_SUFFIX}" and node.attributes.get_string("activation") == _INNER:
            return _behind(graph, node, make)
    raise BlockedLayoutError(f"the stand-in {name} did not come back")


def _behind(graph: ir.Graph, conv: ir.Node, make: Callable[[ir.Value], ir.Node]) -> ir.Node:
    """Take the activation off a convolution and put our node behind it."""
    conv.attributes.pop("activation")
    output = conv.outputs[0]
    readers = [(use.node, use.idx) for use in output.uses()]
    made = make(output)
    for reader, position in readers:
        reader.replace_input_with(position, made.outputs[0])
    made.outputs[0].name = f"{output.name}_ours"
    graph.insert_after(conv, made)
    return made


def _is_blocked(value: ir.Value) -> bool:
    """True if a value of the arranged graph is in the blocked layout: pointwise operators keep that of their input."""
    node = value.producer()
    if node is None:
        return False
    if node.domain == NCHWC:
        return bool(node.op_type != "ReorderOutput")
    first = node.inputs[0] if is_operator(node) or node.op_type in _POINTWISE else None
    return first is not None and _is_blocked(first)

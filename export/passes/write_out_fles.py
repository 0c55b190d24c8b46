"""FleS's positive mean and its gate as standard operators."""

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

from export.operators import DOMAIN, is_operator


class WriteOutFles(ir.passes.InPlacePass):
    """Replace PositiveMean and FlesGate.

    1. PositiveMean: p = max(x, 0); sum(p) / max(sum(p > 0), 1), both over the positions of a channel.
    2. FlesGate: v·(σ(h·x)·x).
    3. Both are computed in float32, and the result is cast back, where x has less.

    Source: FleS slides (ICLR 2026); `zoo.activations.fles` and `zoo.activations._statistics`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace in place."""
        found = [node for node in model.graph if is_operator(node, "PositiveMean", "FlesGate")]
        axes: dict[tuple[int, ...], ir.Value] = {}
        numbers: dict[float, ir.Value] = {}
        for node in found:
            site = _Site(model.graph, node)
            result = site.mean(axes, numbers) if node.op_type == "PositiveMean" else site.gate()
            ir.convenience.replace_nodes_and_values(model.graph, node, [node], site.nodes, node.outputs, [result])
        if not any(is_operator(node) for node in model.graph):
            model.opset_imports.pop(DOMAIN, None)
        return ir.passes.PassResult(model, modified=bool(found))


class _Site:
    """One node on its way out."""

    def __init__(self, graph: ir.Graph, node: ir.Node) -> None:
        self.graph, self.node, self.tape = graph, node, Tape()
        self.x: ir.Value = node.inputs[0]  # type: ignore[assignment]

    @property
    def nodes(self) -> list[ir.Node]:
        return list(self.tape.nodes)

    def make(self, name: str, inputs: list[ir.Value], like: ir.Value, **attributes: int) -> ir.Value:
        """One standard operator, in float32, with the shape of `like`."""
        made = self.tape.op(name, inputs, attributes, metadata_props=dict(self.node.metadata_props))
        made.shape, made.type = like.shape, ir.TensorType(ir.DataType.FLOAT)
        return made

    def wide(self) -> ir.Value:
        """x in float32."""
        if self.x.dtype in (None, ir.DataType.FLOAT):
            return self.x
        return self.make("Cast", [self.x], self.x, to=int(ir.DataType.FLOAT))

    def narrow(self, y: ir.Value) -> ir.Value:
        """y in the type of the node's output."""
        kind = self.node.outputs[0].dtype
        if kind in (None, ir.DataType.FLOAT):
            return y
        made = self.make("Cast", [y], y, to=int(kind))
        made.type = self.node.outputs[0].type
        return made

    def stored(self, name: str, values: np.ndarray) -> ir.Value:
        """A constant in the file."""
        made = ir.val(name, const_value=ir.tensor(values))
        self.graph.register_initializer(made)
        return made

    def mean(self, axes: dict[tuple[int, ...], ir.Value], numbers: dict[float, ir.Value]) -> ir.Value:
        """The positive mean, (n, c)."""
        out, axis = self.node.outputs[0], self.node.attributes["axis"].as_int()
        rank = len(self.x.shape) if self.x.shape is not None else 0
        positions = tuple(i for i in range(1, rank) if i != axis % rank)
        if positions not in axes:
            axes[positions] = self.stored(f"positions_{len(axes)}", np.array(positions, np.int64))
        for number in (0.0, 1.0):
            if number not in numbers:
                numbers[number] = self.stored(f"fles_{number:.0f}", np.array(number, np.float32))
        positive = self.make("Relu", [self.wide()], self.x)
        above = self.make("Greater", [positive, numbers[0.0]], self.x)
        above.type = ir.TensorType(ir.DataType.BOOL)
        ones = self.make("Cast", [above], self.x, to=int(ir.DataType.FLOAT))
        total, count = (
            self.make("ReduceSum", [v, axes[positions]], out, keepdims=0, noop_with_empty_axes=1)
            for v in (positive, ones)
        )
        return self.narrow(self.make("Div", [total, self.make("Max", [count, numbers[1.0]], out)], out))

    def gate(self) -> ir.Value:
        """The gate."""
        x, vertical, horizontal = self.wide(), self.node.inputs[1], self.node.inputs[2]
        sigmoid = self.make("Sigmoid", [self.make("Mul", [horizontal, x], x)], x)  # type: ignore[list-item]
        inner = self.make("Mul", [sigmoid, x], x)
        return self.narrow(self.make("Mul", [vertical, inner], x))  # type: ignore[list-item]

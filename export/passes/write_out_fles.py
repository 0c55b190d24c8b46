"""FleS's positive mean and its gate as standard operators."""

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

from export.operators.nodes import DOMAIN, is_operator

_LEAST = 2.0**-126


class WriteOutFles(ir.passes.InPlacePass):
    """Replace PositiveMean and FlesGate.

    1. PositiveMean: sum(max(x, 0)) / max(k, 1), both over the positions of a channel, k the number of x >= 0. It is
       counted by operators that every mobile runtime has, which comparisons are not: clip(2²⁴·x + ε, 0, ε) with
       ε = 2⁻¹²⁶, the smallest normal number, is ε for every x >= 0 and 0 for every other, since 2²⁴ times the smallest
       subnormal is 2ε; a sum of fewer than 2²⁴ times ε is exact, and so is its product with 2¹²⁶.
    2. FlesGate: v·(σ(h·x)·x).
    3. Both are computed in float32, and the result is cast back, where x has less.

    Source: FleS slides (ICLR 2026); `zoo.activations.fles` and `zoo.activations.channel_means`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace in place."""
        found = [node for node in model.graph if is_operator(node, "PositiveMean", "FlesGate")]
        axes: dict[tuple[int, ...], ir.Value] = {}
        numbers: dict[float, ir.Value] = {}
        for node in found:
            site = _FlesSite(model.graph, node)
            result = site.mean(axes, numbers) if node.op_type == "PositiveMean" else site.gate()
            ir.convenience.replace_nodes_and_values(model.graph, node, [node], site.nodes, node.outputs, [result])
        if not any(is_operator(node) for node in model.graph):
            model.opset_imports.pop(DOMAIN, None)
        return ir.passes.PassResult(model, modified=bool(found))


class _FlesSite:
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

    def number(self, value: float, numbers: dict[float, ir.Value]) -> ir.Value:
        """A scalar in the file, one for every value."""
        if value not in numbers:
            numbers[value] = self.stored(f"fles_{len(numbers)}", np.array(value, np.float32))
        return numbers[value]

    def mean(self, axes: dict[tuple[int, ...], ir.Value], numbers: dict[float, ir.Value]) -> ir.Value:
        """The positive mean, (n, c)."""
        out, axis = self.node.outputs[0], self.node.attributes["axis"].as_int()
        rank = len(self.x.shape) if self.x.shape is not None else 0
        positions = tuple(i for i in range(1, rank) if i != axis % rank)
        if positions not in axes:
            axes[positions] = self.stored(f"positions_{len(axes)}", np.array(positions, np.int64))
        zero, one, up, least, back = (self.number(value, numbers) for value in (0.0, 1.0, 2.0**24, _LEAST, 1 / _LEAST))
        x = self.wide()
        positive = self.make("Relu", [x], self.x)
        moved = self.make("Add", [self.make("Mul", [x, up], self.x), least], self.x)
        flags = self.make("Clip", [moved, zero, least], self.x)
        total, counted = (
            self.make("ReduceSum", [v, axes[positions]], out, keepdims=0, noop_with_empty_axes=1)
            for v in (positive, flags)
        )
        count = self.make("Clip", [self.make("Mul", [counted, back], out), one], out)
        return self.narrow(self.make("Div", [total, count], out))

    def gate(self) -> ir.Value:
        """The gate."""
        x, vertical, horizontal = self.wide(), self.node.inputs[1], self.node.inputs[2]
        sigmoid = self.make("Sigmoid", [self.make("Mul", [horizontal, x], x)], x)  # type: ignore[list-item]
        inner = self.make("Mul", [sigmoid, x], x)
        return self.narrow(self.make("Mul", [vertical, inner], x))  # type: ignore[list-item]

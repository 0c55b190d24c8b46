"""Choice of the nodes that stay float32 in a 16-bit graph, and conversion of the stored weights."""

import numpy as np
import onnx_ir as ir

from export.passes._kernels import lacks
from export.passes.name_nodes import module_of

FLOAT = ir.DataType.FLOAT
WIDE = frozenset((
    "CumSum", "Exp", "GroupNormalization", "InstanceNormalization", "Log", "LogSoftmax", "LpNormalization",
    "MeanVarianceNormalization", "Pow", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax"
))  # fmt: skip
"""Operators that add up many numbers, or whose result grows faster than its argument."""


def kept_wide(graph: ir.Graph, dtype: ir.DataType, place: str) -> set[ir.Node]:
    """The nodes that stay in float32.

    1. Those of `WIDE`.
    2. Those that read nothing but results of such nodes of the same module, and constants: a coefficient that a module
       computes from its statistics, such as those of FleS.
    3. Conversions of flags and counts that only such nodes read.
    4. Those that the place does not compute in that type.
    5. Those that read a stored number which that type rounds to 0.

    Args:
        graph: with nodes named after their modules.
        dtype: the type of the others.
        place: what runs the file; see `export.passes._kernels`.
    """
    kept: set[ir.Node] = set()
    for node in graph:
        if node.op_type in WIDE or _from_statistics(node, kept):
            kept.add(node)
    for node in reversed(list(graph)):
        readers = {use.node for value in node.outputs for use in value.uses()}
        if node.op_type == "Cast" and readers and readers <= kept and not _floats(node):
            kept.add(node)
    return kept | {
        n for n in graph if _floats(n) and (lacks(place, n, dtype) or any(_vanishes(v, dtype) for v in n.inputs))
    }


def _floats(node: ir.Node) -> list[ir.Value]:
    """The activations a node reads in floating point."""
    return [v for v in node.inputs if v is not None and v.dtype == FLOAT and not v.is_initializer()]


def _vanishes(value: ir.Value | None, dtype: ir.DataType) -> bool:
    """True if a value is a stored number other than 0 that a type rounds to 0; a weight may, among others."""
    stored = None if value is None else value.const_value
    if stored is None or stored.dtype != FLOAT or stored.size != 1:
        return False
    number = stored.numpy()
    return bool(0 < abs(number) < 1 and number.astype(dtype.numpy()) == 0)


def _from_statistics(node: ir.Node, kept: set[ir.Node]) -> bool:
    producers, module = [value.producer() for value in _floats(node)], module_of(str(node.name))
    inside = (producer in kept and module_of(str(producer.name)) == module for producer in producers if producer)
    return bool(producers and module) and None not in producers and all(inside)


class NarrowWeights:
    """The stored numbers of a graph in 16 bits, each made once.

    Args:
        graph: that holds them.
        dtype: the type they get.
    """

    def __init__(self, graph: ir.Graph, dtype: ir.DataType) -> None:
        self.graph, self.dtype = graph, dtype
        self._made: dict[ir.Value, ir.Value] = {}
        self._numbers: dict[float, ir.Value] = {}

    def of(self, value: ir.Value) -> ir.Value:
        """A stored value in 16 bits; itself if it is no float32."""
        if value.dtype != FLOAT or value.const_value is None:
            return value
        if value not in self._made:
            made = ir.val(f"{value.name}_{self.dtype.name.lower()}", const_value=self.tensor(value.const_value))
            self.graph.register_initializer(made)
            self._made[value] = made
        return self._made[value]

    def tensor(self, stored: ir.TensorProtocol) -> ir.TensorProtocol:
        """Numbers in 16 bits, rounded to nearest; a finite one beyond the largest becomes the largest."""
        kind = self.dtype.numpy()
        values = stored.numpy()
        with np.errstate(over="ignore"):
            rounded = values.astype(kind)
        top = np.array(largest(self.dtype), kind)
        lost = np.isinf(rounded.astype(np.float32)) & np.isfinite(values)
        return ir.tensor(np.where(lost, np.where(values > 0, top, -top), rounded).astype(kind))

    def number(self, value: float) -> ir.Value:
        """A float32 scalar in the graph."""
        if value not in self._numbers:
            made = ir.val(f"bound_{len(self._numbers)}", const_value=ir.tensor(np.array(value, np.float32)))
            self.graph.register_initializer(made)
            self._numbers[value] = made
        return self._numbers[value]

    def drop_unread(self) -> None:
        """Remove the wide originals that nothing reads any more."""
        for value in self._made:
            if not value.uses() and not value.is_graph_output():
                self.graph.initializers.pop(str(value.name))


def largest(dtype: ir.DataType) -> float:
    """The largest finite number of a 16-bit type."""
    return 65504.0 if dtype == ir.DataType.FLOAT16 else (2 - 2.0**-7) * 2.0**127

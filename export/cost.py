"""Cost of the elementwise part of a graph: its nodes, and the bytes they move at batch size 1."""

from dataclasses import asdict, dataclass
from math import prod

import onnx_ir as ir

# The standard operators that do a little arithmetic per element: memory, not arithmetic, is what they cost.
ELEMENTWISE = frozenset((
    "Abs", "Add", "Cast", "Clip", "Cos", "Div", "Equal", "Erf", "Exp", "Gelu", "Greater", "HardSigmoid",
    "HardSwish", "LeakyRelu", "Less", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Not", "Pow", "PRelu",
    "Reciprocal", "Relu", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Tanh", "Where"
))  # fmt: skip
TOKENS = 128


@dataclass(frozen=True)
class Cost:
    """Elementwise work of a graph.

    Args:
        nodes: elementwise nodes that touch an activation.
        bytes: what they read and write for one image, or one text of 128 tokens; stored weights not counted.
    """

    nodes: int
    bytes: int

    def to_dict(self) -> dict[str, int]:
        """Both, ready for JSON."""
        return asdict(self)


def elementwise_cost(graph: ir.Graph) -> Cost:
    """Add up the elementwise nodes of a graph whose values have shapes; a node without any is left out.

    Args:
        graph: with standard operators and operators of `export.operators.nodes`, which count as one node each.
    """
    nodes = moved = 0
    for node in graph:
        if node.domain == "" and node.op_type not in ELEMENTWISE:
            continue
        sizes = [
            size for value in (*node.inputs, *node.outputs) if value is not None for size in [_bytes(value)] if size
        ]
        # Arithmetic on shapes is not worth counting: its values have next to no elements.
        if sizes and max(sizes) > _SHAPE_BYTES:
            nodes, moved = nodes + 1, moved + sum(sizes)
    return Cost(nodes, moved)


_SHAPE_BYTES = 64


def _bytes(value: ir.Value) -> int:
    """Size of a value at batch size 1; 0 for a stored weight or an unknown shape."""
    if value.is_initializer() or value.shape is None or value.dtype is None:
        return 0
    sizes = [dim if isinstance(dim, int) else TOKENS if "tokens" in str(dim) else 1 for dim in value.shape]
    return int(prod(sizes) * value.dtype.itemsize)

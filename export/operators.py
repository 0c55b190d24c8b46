"""SALU and its gates as single nodes of a graph: names, attributes, and how such a node is made and read.

The graph is traced with them, passes rewrite them by the exact identities of `zoo.activations.algebra`, and a last
pass writes them out as standard operators where the target has no others. All attributes are positive numbers, guarded
already.

    Salu(X; a, b)            SALU(x; a, b) = a·x / sqrt(1 + a·b·x²)
    Swalu(X; a, b)           x/2 · (1 + SALU(x; a, b))
    Galu(X; a, b)            x/2 · (1 + SALU(ψ(x); a, b)), ψ(x) = sqrt(2/π)·(x + 0.044715·x³)
    SaluSwalu(X; a, b, c, d) SWALU(SALU(x; a, b); c, d)
    SaluAddSwalu(X, R; a, b, c, d) SWALU(SALU(x; a, b) + r; c, d)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir

if TYPE_CHECKING:
    from zoo.activations.algebra import Number

DOMAIN = "salu_zoo"
VERSION = 1

ATTRIBUTES = {
    "Salu": ("a", "b"),
    "Swalu": ("a", "b"),
    "Galu": ("a", "b"),
    "SaluSwalu": ("a", "b", "c", "d"),
    "SaluAddSwalu": ("a", "b", "c", "d"),
}
"""The attributes of each operator, in order."""


def is_operator(node: ir.Node | None, *names: str) -> bool:
    """Whether a node is one of ours; of those named, if any are."""
    return node is not None and node.domain == DOMAIN and (not names or node.op_type in names)


def values_of(node: ir.Node) -> tuple[float, ...]:
    """A node's attributes in the order of `ATTRIBUTES`."""
    return tuple(node.attributes[name].as_float() for name in ATTRIBUTES[node.op_type])


def make_node(name: str, inputs: Sequence[ir.Value], values: "Sequence[Number]", like: ir.Value) -> ir.Node:
    """A node of ours.

    Args:
        name: the operator.
        inputs: what it reads.
        values: its attributes, in the order of `ATTRIBUTES`.
        like: a value whose shape and type the output has.
    """
    attributes = dict(zip(ATTRIBUTES[name], map(float, values), strict=True))
    node = ir.node(name, inputs, attributes, domain=DOMAIN, version=VERSION)
    node.outputs[0].shape, node.outputs[0].type = like.shape, like.type
    return node

"""SALU and its gates as single nodes of a graph: how such a node is made and read.

The graph is traced with them, passes rewrite them by the exact identities of `zoo.activations.algebra`, and a last
pass writes them out as standard operators where the target has no others. Their table is `export.native.OPERATORS`; all
attributes are positive numbers, guarded already.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir

from export.operators.operator_table import DOMAIN, OP_VERSION, OPERATORS

if TYPE_CHECKING:
    from zoo.activations.algebra import Number

__all__ = ["ATTRIBUTES", "DOMAIN", "VERSION", "is_operator", "make_node", "values_of"]

VERSION = OP_VERSION

ATTRIBUTES = {name: tuple(spec.attributes) for name, spec in OPERATORS.items()}
"""The attributes of each operator, in order."""


def is_operator(node: ir.Node | None, *names: str) -> bool:
    """True if a node is one of ours; of those named, if any are."""
    return node is not None and node.domain == DOMAIN and (not names or node.op_type in names)


def values_of(node: ir.Node) -> tuple[float, ...]:
    """A node's attributes in the order of `ATTRIBUTES`, for an operator whose attributes are all such numbers."""
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

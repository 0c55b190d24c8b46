"""The operators of the library as a table: what a pass may put into a graph, and what a checker expects of a node."""

from dataclasses import dataclass
from typing import Literal

from zoo.numerics.operators import OPERATORS as ZOO_OPERATORS
from zoo.numerics.operators import FusedOperator

DOMAIN = "salu_zoo"
OP_VERSION = 1

Element = Literal["float32", "uint8"]
Attribute = Literal["float", "int"]


@dataclass(frozen=True)
class OperatorSpec:
    """One operator of the domain `salu_zoo`, version 1; ours.

    Every operator has one output Y of X's shape and element type, except PositiveMean: its Y is (n, channels), and 0
    where a channel has no element >= 0. All inputs have that element type. The file must carry the shape of Y in
    `value_info`: the library infers none.

    Attributes:
        name: the `op_type` of a node.
        formula: what it computes, element by element.
        inputs: their names, in order. R has X's shape; V and H of FlesGate have X's rank and size 1, except X's size
            on `axis` and, if not 1, on axis 0.
        attributes: name and type of each; all are required. Scales and a, b, c, d are positive and finite, with
            sqrt(a·b) and sqrt(a/b) in 1e-30..1e30, zero points are in 0..255, and `axis` is not the batch axis 0.
            `block` is 1, or the channels of a block where X is stored as (n, channels / block, positions, block).
        element: "float32" or "uint8".
        of: for an operator on uint8, the operator on float32 between its (x - x_zero_point)·x_scale and its
            saturate(round_half_even(y / y_scale) + y_zero_point).
    """

    name: str
    formula: str
    inputs: tuple[str, ...]
    attributes: dict[str, Attribute]
    element: Element = "float32"
    of: str | None = None


_CHANNELS: dict[str, Attribute] = {"axis": "int", "block": "int"}


def _on_float(operator: FusedOperator) -> OperatorSpec:
    """An operator of the zoo's table; its scalars are attributes named a to d in their order."""
    name = str(operator.node)
    if not operator.scalars:
        return OperatorSpec(name, operator.formula, ("X", "V", "H"), _CHANNELS)
    inputs = ("X",) if operator.shortcut == "none" else ("X", "R")
    return OperatorSpec(name, operator.formula, inputs, dict.fromkeys("abcd"[: len(operator.scalars)], "float"))


_FLOAT = (
    *(_on_float(operator) for operator in ZOO_OPERATORS.values() if operator.node is not None),
    OperatorSpec("PositiveMean", "mean of x over the x >= 0 of a channel", ("X",), _CHANNELS),
)


def _on_uint8(spec: OperatorSpec) -> OperatorSpec:
    scales: dict[str, Attribute] = {}
    for tensor in (*spec.inputs, "Y"):
        scales |= {f"{tensor.lower()}_scale": "float", f"{tensor.lower()}_zero_point": "int"}
    return OperatorSpec(f"Q{spec.name}", spec.formula, spec.inputs, spec.attributes | scales, "uint8", spec.name)


OPERATORS: dict[str, OperatorSpec] = {
    spec.name: spec for spec in (*_FLOAT, *(_on_uint8(spec) for spec in _FLOAT if "axis" not in spec.attributes))
}

"""SALU and its gates as standard operators, in a form that cannot overflow."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

from export.operators.nodes import DOMAIN, is_operator, values_of
from export.passes.half_forms import HALF_FORMS
from zoo.activations.algebra import Pair, compose, geometry
from zoo.numerics.constants import CUBIC, LIMIT, SCALE

CUBIC_LIMIT = 2.0**36
"""Where the cubic argument of GALU is clipped, whose bound on x is rounded; elsewhere it is LIMIT."""

WRITTEN = "salu_zoo.written_out"
"""A note on every node that this pass makes; `NameNodes` drops it."""


class WriteOut(ir.passes.InPlacePass):
    """Replace Salu, Swalu, Galu and SaluSwalu by few elementwise operators that keep every limit.

    All are made of f(v; p, q) = v / sqrt(p + q·v²), with v clipped:

    1. Salu: S·f(x; 1/(a·b), 1), S = sqrt(a/b). Swalu: x·(½ + f(x; 4/a², 4b/a)).
    2. Galu: as Swalu of ψ(x), with ψ(x)/m = x·(1/0.044715 + x²) as the argument.
    3. SaluSwalu: f(x; 1/(a·b), 1)·(S/2 + S·f(x; 4/A², 4B/A)) with (A, B) = compose((a, b), (c, d)).
    4. A factor of 1 is not written.
    5. Where S = 1 a gate's limit at -inf is 0: there x is kept above the lowest number, since -inf·0 is none.

    Args:
        half: write the forms for float16 instead; see `export.passes.half_forms`. `ToSixteenBits` converts them.

    Source: ours; the limits are those of `zoo.numerics.saturating_unit`.
    """

    def __init__(self, half: bool = False) -> None:
        super().__init__()
        self.forms = HALF_FORMS if half else _FORMS

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace in place."""
        found = [node for node in model.graph if is_operator(node, *self.forms)]
        constants: dict[float, ir.Value] = {}
        for node in found:
            site = _Site(model.graph, node, constants)
            result = self.forms[node.op_type](site, *values_of(node))
            ir.convenience.replace_nodes_and_values(model.graph, node, [node], site.nodes, node.outputs, [result])
        if not any(is_operator(node) for node in model.graph):
            model.opset_imports.pop(DOMAIN, None)
        return ir.passes.PassResult(model, modified=bool(found))


class _Site:
    """One node on its way out: makes the nodes that replace it, each of its output's shape and type."""

    def __init__(self, graph: ir.Graph, node: ir.Node, constants: dict[float, ir.Value]) -> None:
        self.graph, self.node, self.constants = graph, node, constants
        self.x: ir.Value = node.inputs[0]  # type: ignore[assignment]
        self.tape = Tape()

    @property
    def nodes(self) -> list[ir.Node]:
        return list(self.tape.nodes)

    def number(self, value: float) -> ir.Value:
        """A scalar in the file, one for every value."""
        if value not in self.constants:
            kind = (self.x.dtype or ir.DataType.FLOAT).numpy()
            made = ir.val(f"number_{len(self.constants)}", const_value=ir.tensor(np.array(value, kind)))
            self.graph.register_initializer(made)
            self.constants[value] = made
        return self.constants[value]

    def make(self, name: str, *inputs: ir.Value | float) -> ir.Value:
        """One standard operator of values and numbers."""
        given = [self.number(i) if isinstance(i, float) else i for i in inputs]
        made = self.tape.op(name, given, metadata_props=self.node.metadata_props | {WRITTEN: ""})
        made.shape, made.type = self.node.outputs[0].shape, self.node.outputs[0].type
        return made

    def times(self, x: ir.Value, factor: float) -> ir.Value:
        """x · factor; x itself where the factor rounds to 1."""
        return x if abs(factor - 1) < 2**-24 else self.make("Mul", x, factor)

    def clipped(self, pair: Pair) -> tuple[ir.Value, ir.Value]:
        """x within ±LIMIT / sqrt(a·b), and its square."""
        bound = LIMIT * float(geometry(pair).width)
        v = self.make("Clip", self.x, -bound, bound)
        return v, self.make("Mul", v, v)

    def bounded(self, v: ir.Value, square: ir.Value, p: float, q: float) -> ir.Value:
        """f(v; p, q) = v / sqrt(p + q·v²)."""
        return self.make("Div", v, self.make("Sqrt", self.make("Add", self.times(square, q), p)))

    def gate(self, half: ir.Value, pair: Pair) -> ir.Value:
        """x·(½ + half), half being SALU/2."""
        x = self.make("Max", self.x, float(np.finfo(np.float32).min)) if pair.a == pair.b else self.x
        return self.make("Mul", x, self.make("Add", half, 0.5))


def _salu(site: _Site, a: float, b: float) -> ir.Value:
    unit = site.bounded(*site.clipped(Pair(a, b)), 1 / (a * b), 1.0)
    return site.times(unit, float(geometry(Pair(a, b)).saturation))


def _swalu(site: _Site, a: float, b: float) -> ir.Value:
    return site.gate(site.bounded(*site.clipped(Pair(a, b)), 4 / a**2, 4 * b / a), Pair(a, b))


def _galu(site: _Site, a: float, b: float) -> ir.Value:
    unit = SCALE * CUBIC
    width = float(geometry(Pair(a, b)).width) / unit
    bound = (CUBIC_LIMIT * width) ** (1 / 3)
    x = site.make("Clip", site.x, -bound, bound)
    v = site.make("Mul", x, site.make("Add", site.make("Mul", x, x), 1 / CUBIC))
    half = site.bounded(v, site.make("Mul", v, v), 4 / (a * unit) ** 2, 4 * b / a)
    return site.gate(half, Pair(a, b))


def _salu_swalu(site: _Site, a: float, b: float, c: float, d: float) -> ir.Value:
    saturation = float(geometry(Pair(a, b)).saturation)
    outer_a, outer_b = map(float, compose(Pair(a, b), Pair(c, d)))
    x, square = site.clipped(Pair(a, b))
    unit = site.bounded(x, square, 1 / (a * b), 1.0)
    half = site.bounded(x, square, 4 / (outer_a * saturation) ** 2, 4 * outer_b / outer_a / saturation**2)
    return site.make("Mul", unit, site.make("Add", half, saturation / 2))


_FORMS: dict[str, Callable[..., ir.Value]] = {
    "Salu": _salu,
    "Swalu": _swalu,
    "Galu": _galu,
    "SaluSwalu": _salu_swalu,
}

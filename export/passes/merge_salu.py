"""A SALU that reads only a SALU becomes one SALU."""

import onnx_ir as ir

from export.operators.nodes import is_operator, make_node, values_of
from export.passes._rewrite import replace, salu_before
from zoo.activations.algebra import Pair, compose


class MergeSalu(ir.passes.InPlacePass):
    """SALU(SALU(x; a, b); a', b') = SALU(x; A, B) with A = a·a', B = b/a' + a·b'; chains of any length.

    Left alone where somebody else reads the inner one: it would have to stay, and nothing were saved.

    Source: ours; `zoo.activations.algebra.compose`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Merge in place."""
        merged = False
        for outer in list(model.graph):
            inner = salu_before(outer.inputs[0], outer) if is_operator(outer, "Salu") else None
            if inner is None:
                continue
            composed = compose(Pair(*values_of(inner)), Pair(*values_of(outer)))
            replace(model.graph, [inner, outer], make_node("Salu", inner.inputs, composed, outer.outputs[0]))
            merged = True
        return ir.passes.PassResult(model, modified=merged)

"""The height of a pair moves into the weights of the layers behind it."""

import math

import onnx_ir as ir

from export.operators.nodes import is_operator, make_node, values_of
from export.passes._rewrite import replace
from export.passes.foldable_weights import kernels_behind, multiply
from zoo.activations.algebra import Pair, compose


class FoldPairScale(ir.passes.InPlacePass):
    """k·SWALU(SALU(x; a, b); c, d) = SWALU(SALU(x; k·a, b/k); c/k, d/k), and w * h = (w/k) * (k·h).

    k = 2·sqrt(B·b / (A·a)), (A, B) = compose((a, b), (c, d)), makes 1 of the factor of x² under the second root of
    `WriteOut`: one multiplication less is written out. Done where `FoldOutputScale` does it for a SALU.

    Source: ours.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold in place."""
        folded = False
        for node in list(model.graph):
            kernels = kernels_behind(node.outputs[0]) if is_operator(node, "SaluSwalu") else []
            if not kernels:
                continue
            a, b, c, d = values_of(node)
            outer_a, outer_b = map(float, compose(Pair(a, b), Pair(c, d)))
            k = 2 * math.sqrt(outer_b * b / (outer_a * a))
            for kernel in kernels:
                multiply(kernel, 1 / k)
            values = (k * a, b / k, c / k, d / k)
            replace(model.graph, [node], make_node("SaluSwalu", node.inputs, values, node.outputs[0]))
            folded = True
        return ir.passes.PassResult(model, modified=folded)

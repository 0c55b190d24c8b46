"""The height of a SALU moves into the weights of the layers behind it."""

import math

import onnx_ir as ir

from export.operators.nodes import is_operator, make_node, values_of
from export.passes._rewrite import replace
from export.passes.foldable_weights import kernels_behind, multiply
from zoo.activations.algebra import Pair, fold_output_scale


class FoldOutputScale(ir.passes.InPlacePass):
    """SALU(x; a, b) = S·SALU(x; a/S, b·S) with S = sqrt(a/b), and w * (S·h) = (S·w) * h.

    After it the SALU's height is 1, and one multiplication less is written out. Done where all that read the SALU are
    Conv, Gemm and MatMul, as their first input, with weights of their own; their biases stay. Padding a convolution
    with zeros commutes with it.

    Source: ours; `zoo.activations.algebra.fold_output_scale`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold in place."""
        folded = False
        for node in list(model.graph):
            if not is_operator(node, "Salu"):
                continue
            a, b = values_of(node)
            height = math.sqrt(a / b)
            kernels = kernels_behind(node.outputs[0]) if height != 1 else []
            for kernel in kernels:
                multiply(kernel, height)
            if kernels:
                values = fold_output_scale(Pair(a, b), 1 / height)
                replace(model.graph, [node], make_node("Salu", node.inputs, values, node.outputs[0]))
                folded = True
        return ir.passes.PassResult(model, modified=folded)

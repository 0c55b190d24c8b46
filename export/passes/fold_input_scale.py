"""The factor on the input of a SALU moves into the weights of the layer before it."""

import math

import onnx_ir as ir

from export.operators.nodes import is_operator, make_node, values_of
from export.passes._rewrite import only_reader, replace
from export.passes.foldable_weights import BIAS, KERNEL, given, is_layer, is_own, multiply
from zoo.activations.algebra import Pair, fold_input_scale


class FoldInputScale(ir.passes.InPlacePass):
    """SALU(x; a, b) = SALU(s·x; a/s, b/s) with s = sqrt(a·b), and s·(w * h + c) = (s·w) * h + s·c.

    After it sqrt(a·b) = 1, so that the saturating argument is the layer's output itself: what a form in float16 needs,
    whose argument must not leave a narrow range. It reaches through Conv, Gemm, MatMul, and Add of a bias behind
    MatMul, where the SALU is the only reader and nobody else reads the weights. SaluSwalu is folded by its SALU.

    Source: ours; `zoo.activations.algebra.fold_input_scale`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold in place."""
        folded = False
        for node in list(model.graph):
            if not is_operator(node, "Salu", "SaluSwalu"):
                continue
            a, b, *rest = values_of(node)
            scale = math.sqrt(a * b)
            weights = _weights_before(node) if scale != 1 else []
            for value in weights:
                multiply(value, scale)
            if weights:
                values = (*fold_input_scale(Pair(a, b), 1 / scale), *rest)
                replace(model.graph, [node], make_node(node.op_type, node.inputs, values, node.outputs[0]))
                folded = True
        return ir.passes.PassResult(model, modified=folded)


def _weights_before(node: ir.Node) -> list[ir.Value]:
    """Find the weights to multiply so that the input of `node` is multiplied; none where that cannot be done."""
    value, found = node.inputs[0], []
    if value is None or not only_reader(value, node):
        return []
    layer = value.producer()
    if layer is not None and layer.domain == "" and layer.op_type == "Add":
        sides = [(x, y) for x, y in (layer.inputs, layer.inputs[::-1]) if x is not None and _is_product(x)]
        if len(sides) != 1 or not only_reader(sides[0][0], layer):
            return []
        found, layer = [sides[0][1]], sides[0][0].producer()
    if layer is None or not is_layer(layer):
        return []
    found += [layer.inputs[KERNEL[layer.op_type]]]
    bias = given(layer, BIAS.get(layer.op_type))
    found += [] if bias is None else [bias]
    return [value for value in found if value is not None] if all(is_own(value) for value in found) else []


def _is_product(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and node.domain == "" and node.op_type == "MatMul"

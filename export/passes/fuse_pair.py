"""SALU and the SWALU that follows it become one node over one argument."""

import onnx_ir as ir

from export.operators.nodes import is_operator, make_node, values_of
from export.passes._rewrite import replace, salu_before


class FusePair(ir.passes.InPlacePass):
    """SWALU(SALU(x; a, b); c, d) becomes SaluSwalu(x; a, b, c, d), which one pass over x computes.

    With (A, B) = compose((a, b), (c, d)) it is SALU(x; a, b)/2 · (1 + SALU(x; A, B)): the square of x serves both.
    Left alone where somebody else reads the SALU.

    Source: ours; `zoo.activations.algebra.swalu_of_salu`.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fuse in place."""
        fused = False
        for gate in list(model.graph):
            salu = salu_before(gate.inputs[0], gate) if is_operator(gate, "Swalu") else None
            if salu is None:
                continue
            values = (*values_of(salu), *values_of(gate))
            replace(model.graph, [salu, gate], make_node("SaluSwalu", salu.inputs, values, gate.outputs[0]))
            fused = True
        return ir.passes.PassResult(model, modified=fused)

"""SALU, the shortcut's addition and the SWALU behind it become one node."""

import onnx_ir as ir

from export.operators.nodes import is_operator, make_node, values_of
from export.passes._rewrite import only_reader, replace, salu_before


class FuseAdd(ir.passes.InPlacePass):
    """SWALU(SALU(x; a, b) + r; c, d) becomes SaluAddSwalu(x, r; a, b, c, d): the end of a residual block.

    Of two SALUs that nobody else reads the first is taken in. Left alone where the terms have two shapes.

    Source: ours.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fuse in place."""
        fused = False
        for gate in list(model.graph):
            add = gate.inputs[0].producer() if is_operator(gate, "Swalu") and gate.inputs[0] else None
            found = _terms(add, gate) if add is not None else None
            if add is None or found is None:
                continue
            salu, other = found
            values = (*values_of(salu), *values_of(gate))
            made = make_node("SaluAddSwalu", [salu.inputs[0], other], values, gate.outputs[0])  # type: ignore[list-item]
            replace(model.graph, [salu, add, gate], made)
            fused = True
        return ir.passes.PassResult(model, modified=fused)


def _terms(add: ir.Node, gate: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """The SALU that a sum of one shape takes in, and the other term."""
    if add.domain != "" or add.op_type != "Add" or not only_reader(add.outputs[0], gate):
        return None
    for own, other in (add.inputs, add.inputs[::-1]):
        salu = salu_before(own, add)
        if salu is None or own is None or other is None:
            continue
        if own.shape is not None and own.shape == other.shape == add.outputs[0].shape:
            return salu, other
    return None

"""A graph of opset 18 in opset 17, which PyTorch's exporter does not write."""

import onnx_ir as ir

from export.errors import LoweringError

# Reductions whose axes became an input in opset 18; ReduceSum's have been one since 13.
_REDUCTIONS = frozenset(
    f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
)


class ToOpset17(ir.passes.InPlacePass):
    """Turn the axes of reductions back into attributes and drop what opset 18 added; node names stay.

    `onnx.version_converter` does the same but loses which module a node came from. Whatever else has no form in opset
    17 is refused by onnx.checker, which every export runs.

    Source: ours; the differences are those of ONNX's change log.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Convert in place.

        Raises:
            LoweringError: axes are computed by the graph.
        """
        for node in model.graph.all_nodes():
            if node.domain == "" and node.op_type in _REDUCTIONS:
                _axes_to_attribute(node)
            elif node.domain == "" and node.op_type == "Split":
                node.attributes.pop("num_outputs", None)
        model.opset_imports[""] = 17
        return ir.passes.PassResult(model, modified=True)


def _axes_to_attribute(node: ir.Node) -> None:
    node.attributes.pop("noop_with_empty_axes", None)
    if len(node.inputs) < 2 or node.inputs[1] is None:
        return
    axes = ir.convenience.get_const_tensor(node.inputs[1])
    if axes is None:
        raise LoweringError(f"Node {node.name}: its axes are computed, which opset 17 does not have. Use opset 18.")
    node.attributes["axes"] = ir.AttrInt64s("axes", axes.numpy().tolist())
    node.replace_input_with(1, None)
    node.resize_inputs(1)

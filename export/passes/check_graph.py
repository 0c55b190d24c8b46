"""The last look at a graph before it becomes a file."""

from collections.abc import Sequence

import onnx
import onnx_ir as ir

from export.errors import LoweringError
from export.passes._kernels import lacks, type_of


class CheckGraph(ir.passes.InPlacePass):
    """Raise unless any conforming runtime can be expected to load the graph; change nothing.

    1. Every node is of the standard domain, or of those allowed; no model-local functions.
    2. The free axes of every input, and the batch of every output, are symbolic.
    3. No weight is stored outside the file.
    4. What runs it has every node in the type that the node computes in; see `export.passes._kernels`.
    5. onnx's own checker, with strict shape inference, accepts it.

    Args:
        axes: names of the leading axes of every input that are free, the batch first.
        domains: of operators the runtime will have besides the standard ones. The outputs of their nodes must have
            shapes in the file, which no runtime can infer.
        place: what computes the nodes.
    """

    def __init__(self, axes: Sequence[str] = ("batch",), domains: Sequence[str] = (), place: str = "CPU") -> None:
        super().__init__()
        self.axes, self.domains, self.place = tuple(axes), ("", *domains), place

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Check; the result is always unmodified.

        Raises:
            LoweringError: one of the cases fails.
        """
        foreign = sorted(
            {f"{node.domain}::{node.op_type}" for node in model.graph.all_nodes() if node.domain not in self.domains}
        )
        if foreign or model.functions:
            names = foreign + [str(key) for key in model.functions]
            raise LoweringError(
                f"The graph holds operators outside the ONNX standard: {', '.join(names)}. "
                "Write that part of the model as plain tensor code."
            )
        shapeless = [n.name for n in model.graph if n.domain != "" and any(v.shape is None for v in n.outputs)]
        if shapeless:
            raise LoweringError(f"The outputs of {', '.join(map(str, shapeless))} have no shapes.")
        _check_kernels(model.graph, self.place)
        for value in model.graph.inputs:
            _check_free(value, self.axes)
        for value in model.graph.outputs:
            _check_free(value, self.axes[:1])
        for value in model.graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                raise LoweringError(f"The weight {value.name} lies outside the file.")
        try:
            onnx.checker.check_model(ir.to_proto(model), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise LoweringError(f"onnx's checker refuses the graph: {error}") from error
        return ir.passes.PassResult(model, modified=False)


def _check_free(value: ir.Value, axes: tuple[str, ...]) -> None:
    for i, axis in enumerate(axes):
        if value.shape is None or len(value.shape) <= i or not isinstance(value.shape[i], ir.SymbolicDim):
            raise LoweringError(
                f"The {axis} size became a constant: `{value.name}` has shape {value.shape}. Look for a Python "
                f"number made from x.shape[{i}] in the model's forward, such as int(x.shape[{i}])."
            )


def _check_kernels(graph: ir.Graph, place: str) -> None:
    missing = [(node, kind) for node in graph.all_nodes() if lacks(place, node, kind := type_of(node))]
    if missing:
        shown = ", ".join(f"{n.op_type} in {str(kind).lower()} (node {n.name})" for n, kind in missing[:5])
        raise LoweringError(
            f"{place} does not compute {shown}{', ...' if len(missing) > 5 else ''}. Write that part of the model with "
            "other operators, or export for another target or precision."
        )

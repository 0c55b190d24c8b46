"""A float32 graph with weights and activations of 16 bits."""

from collections.abc import Iterator

import onnx_ir as ir

from export.errors import LoweringError
from export.passes._names import Names
from export.passes._narrowing import NarrowWeights, kept_wide, largest

FLOAT = ir.DataType.FLOAT
TYPES = {"float16": ir.DataType.FLOAT16, "bfloat16": ir.DataType.BFLOAT16}
# Convolutions and pooling take bfloat16 since opset 22; between 20 and 22 no operator changed what it computes but
# GroupNormalization, which PyTorch's exporter does not write.
_OPSETS = {"float16": 20, "bfloat16": 22}
# Inputs that are float32 by the standard whatever the others are.
_ALWAYS_FLOAT = {("Resize", 1), ("Resize", 2)}


class ToSixteenBits(ir.passes.InPlacePass):
    """Convert a graph whose nodes have been named by `NameNodes`.

    1. Weights, numbers and activations become 16-bit. A finite number beyond the type's largest becomes the largest.
    2. Nodes of `_narrowing.kept_wide` stay in float32: sums, means, exponentials, Softmax, what a module computes from
       its own statistics, and what the place has in no other type. A Cast stands wherever the two meet, one for each
       value.
    3. LayerNormalization takes 16 bits and computes mean and deviation in float32, as its `stash_type` 1 says.
    4. Inputs and outputs stay float32. An input is cut to the type's largest number first.
    5. For bfloat16 the graph goes to opset 22, the first in which convolutions take it.

    Args:
        precision: "float16" or "bfloat16".
        place: what runs the file; see `export.passes._kernels`.

    Source: ours; which operators stay wide follows PyTorch's autocast.
    """

    def __init__(self, precision: str, place: str) -> None:
        super().__init__()
        self.precision, self.dtype, self.place = precision, TYPES[precision], place

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Convert in place.

        Raises:
            LoweringError: the graph has branches or loops.
        """
        graph = model.graph
        nested = [n.name for n in graph if any(a.type == ir.AttributeType.GRAPH for a in n.attributes.values())]
        if nested:
            raise LoweringError(
                f"The graph has branches or loops ({', '.join(map(str, nested[:3]))}), which are converted to "
                f"{self.precision} by nothing here. Export in float32."
            )
        _Conversion(graph, self.dtype, self.place).run()
        model.opset_imports[""] = max(model.opset_imports[""], _OPSETS[self.precision])
        return ir.passes.PassResult(model, modified=True)


class _Conversion:
    """One graph on its way: which values have become narrow, and the casts made so far."""

    def __init__(self, graph: ir.Graph, dtype: ir.DataType, place: str) -> None:
        self.graph, self.dtype = graph, dtype
        self.weights = NarrowWeights(graph, dtype)
        self.kept = kept_wide(graph, dtype, place)
        self.names = Names(graph)
        self.casts: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def run(self) -> None:
        outputs = [value for value in self.graph.outputs if value.dtype == FLOAT]
        for node in list(self.graph):
            wide = node in self.kept
            for i, value in enumerate(node.inputs):
                if value is not None and value.dtype in (FLOAT, self.dtype):
                    always = wide or (node.op_type, i) in _ALWAYS_FLOAT
                    node.replace_input_with(i, self._of_type(value, FLOAT if always else self.dtype))
            if not wide:
                self._narrow(node)
        for value in outputs:
            self._restore(value)
        self.weights.drop_unread()

    def _of_type(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        if value.is_initializer():
            return value if dtype == FLOAT else self.weights.of(value)
        if value.dtype == dtype:
            return value
        if (value, dtype) not in self.casts:
            self.casts[value, dtype] = self._cast(value, dtype)
        return self.casts[value, dtype]

    def _cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """A Cast right behind the node that makes a value, or at the start for an input."""
        producer = value.producer()
        made = list(self._cut(value)) if producer is None else []
        source = made[-1].outputs[0] if made else value
        made.append(ir.node("Cast", [source], {"to": int(dtype)}))
        for node in made:
            output = node.outputs[0]
            output.shape, output.type = value.shape, ir.TensorType(dtype if node.op_type == "Cast" else FLOAT)
            self.names.give(node, producer)
        if producer is None:
            self.graph.insert_before(self.graph[0], made)
        else:
            self.graph.insert_after(producer, made)
        return made[-1].outputs[0]

    def _cut(self, value: ir.Value) -> Iterator[ir.Node]:
        """An input beyond the largest number would become infinite, and the difference of two infinities no number."""
        ends = [self.weights.number(sign * largest(self.dtype)) for sign in (-1, 1)]
        yield ir.node("Clip", [value, *ends])

    def _narrow(self, node: ir.Node) -> None:
        """The outputs of a node, and the type it names itself, become 16-bit."""
        to = node.attributes.get("to")
        if node.op_type == "Cast" and to is not None and to.as_int() == FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", int(self.dtype))
        value = node.attributes.get("value")
        if node.op_type in ("Constant", "ConstantOfShape") and value is not None and value.as_tensor().dtype == FLOAT:
            node.attributes["value"] = ir.AttrTensor("value", self.weights.tensor(value.as_tensor()))
        for output in node.outputs:
            if output.dtype == FLOAT:
                output.type = ir.TensorType(self.dtype)

    def _restore(self, value: ir.Value) -> None:
        """An output that has become narrow is cast back, and the result takes its name."""
        if value.dtype == FLOAT:
            return
        producer, name = value.producer(), value.name
        cast = ir.node("Cast", [value], {"to": int(FLOAT)})
        cast.outputs[0].shape, cast.outputs[0].type = value.shape, ir.TensorType(FLOAT)
        self.names.give(cast, producer)
        self.graph.insert_after(producer, cast)  # type: ignore[arg-type]
        position = list(self.graph.outputs).index(value)
        self.graph.outputs[position] = cast.outputs[0]
        value.name, cast.outputs[0].name = cast.outputs[0].name, name

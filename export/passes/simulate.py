"""A graph in float32 that rounds as a device with another arithmetic does, for a runtime that lacks it."""

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from export.digest import seal
from export.passes._names import Names

FLOAT = ir.DataType.FLOAT
NARROW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
# These pass on what they read, so there is nothing to round.
EXACT = frozenset((
    "Abs", "Clip", "Concat", "Expand", "Flatten", "Gather", "Identity", "Max", "MaxPool", "Min", "Neg", "Pad", "Relu",
    "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze", "Where"
))  # fmt: skip
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_TF32_BITS = 10


def simulated(file: bytes, precision: str) -> bytes:
    """A file in float32 whose values are rounded as those of `file` would be.

    Of a 16-bit file every value that a node computes is rounded to 16 bits, the node itself computing in float32: the
    arithmetic of a GPU, which adds up in float32. For "tf32" the inputs of convolutions and matrix products are rounded
    to TF32's 10 bits of mantissa, to nearest. ONNX Runtime's CPU provider by itself rounds nowhere between two nodes
    that it computes in float32.

    Args:
        file: an ONNX file in "float16" or "bfloat16", or one in float32 for "tf32".
        precision: one of the three.
    """
    proto = onnx.load_from_string(file)
    _type_outputs(proto.graph)
    model = ir.from_proto(proto)
    (RoundProducts() if precision == "tf32" else RoundValues())(model)
    made = ir.to_proto(model)
    seal(made)  # it keeps the record of the file, which is read from the session on it
    return bytes(made.SerializeToString())


def _type_outputs(graph: onnx.GraphProto) -> None:
    """Outputs that a check has added have a name only; the file knows their types."""
    known = {value.name: value for value in graph.value_info}
    for output in graph.output:
        if not output.HasField("type") and output.name in known:
            output.CopyFrom(known[output.name])


class RoundValues(ir.passes.InPlacePass):
    """Every 16-bit value becomes float32, rounded to 16 bits by a pair of Casts behind the node that computes it."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change in place."""
        graph, names = model.graph, Names(model.graph)
        for value in graph.initializers.values():
            if value.dtype in NARROW and value.const_value is not None:
                value.const_value = ir.tensor(value.const_value.numpy().astype(np.float32), name=value.name)
                value.type = ir.TensorType(FLOAT)
        for node in list(graph):
            stored = node.attributes.get("value")
            if stored is not None and node.op_type in ("Constant", "ConstantOfShape"):
                tensor = stored.as_tensor()
                if tensor.dtype in NARROW:
                    wide = ir.tensor(tensor.numpy().astype(np.float32))
                    node.attributes["value"] = ir.AttrTensor("value", wide)
            for value in node.outputs:
                if value.dtype in NARROW:
                    _round(graph, node, value, names)
        return ir.passes.PassResult(model, modified=True)


def _round(graph: ir.Graph, node: ir.Node, value: ir.Value, names: Names) -> None:
    kind, is_cast = ir.DataType(value.dtype), node.op_type == "Cast"  # type: ignore[arg-type]
    if not is_cast:
        value.type = ir.TensorType(FLOAT)
    if node.op_type in EXACT:
        return
    # A Cast to 16 bits rounds by itself.
    narrow = [] if is_cast else [ir.node("Cast", [value], {"to": int(kind)})]
    source = narrow[0].outputs[0] if narrow else value
    back = ir.node("Cast", [source], {"to": int(FLOAT)})
    made = [*narrow, back]
    for one, dtype in zip(made, [kind, FLOAT][-len(made) :], strict=True):
        one.outputs[0].shape, one.outputs[0].type = value.shape, ir.TensorType(dtype)
        names.give(one, node)
    _behind(graph, node, value, made)


def _behind(graph: ir.Graph, node: ir.Node, value: ir.Value, made: list[ir.Node]) -> None:
    """Put nodes behind a value; all others read their result, which takes the value's name."""
    readers = [(use.node, use.idx) for use in value.uses() if use.node not in made]
    result, name = made[-1].outputs[0], value.name
    for reader, position in readers:
        reader.replace_input_with(position, result)
    for position, output in enumerate(list(graph.outputs)):
        if output is value:
            graph.outputs[position] = result
    value.name, result.name = f"{name} before rounding", name
    graph.insert_after(node, made)


class RoundProducts(ir.passes.InPlacePass):
    """The inputs of convolutions and matrix products become multiples of 2⁻¹⁰ of their power of two, as in TF32.

    With y = 2⁻¹⁴·x and c = (2¹³ + 1)·y, c - (c - y) is y to 11 significant bits (Veltkamp's splitting); the factor
    keeps c from overflowing. x is cut to the largest number of TF32 first, infinity as well.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change in place."""
        graph, names = model.graph, Names(model.graph)
        done: dict[ir.Value, ir.Value] = {}
        numbers = {key: _store(graph, f"TF32 {key}", np.float32(value)) for key, value in _SPLIT.items()}
        for node in list(graph):
            if node.op_type not in PRODUCTS:
                continue
            for i, value in enumerate(node.inputs[:2]):
                if value is None or value.dtype != FLOAT:
                    continue
                if value not in done:
                    stored = value.const_value if value.is_initializer() else None
                    done[value] = (
                        _split(graph, value, numbers, names)
                        if stored is None
                        else _store(graph, f"{value.name} in TF32", to_tf32(stored.numpy()))
                    )
                node.replace_input_with(i, done[value])
        return ir.passes.PassResult(model, modified=bool(done))


_LARGEST = (2 - 2.0**-_TF32_BITS) * 2.0**127
_SPLIT = {"lowest": -_LARGEST, "largest": _LARGEST, "down": 2.0**-14, "split": 2.0**13 + 1, "up": 2.0**14}


def _store(graph: ir.Graph, name: str, values: NDArray[np.float32] | np.float32) -> ir.Value:
    made = ir.val(name, const_value=ir.tensor(np.asarray(values)))
    graph.register_initializer(made)
    return made


def _split(graph: ir.Graph, value: ir.Value, numbers: dict[str, ir.Value], names: Names) -> ir.Value:
    cut = ir.node("Clip", [value, numbers["lowest"], numbers["largest"]])
    y = ir.node("Mul", [cut.outputs[0], numbers["down"]])
    c = ir.node("Mul", [y.outputs[0], numbers["split"]])
    rest = ir.node("Sub", [c.outputs[0], y.outputs[0]])
    high = ir.node("Sub", [c.outputs[0], rest.outputs[0]])
    made = [cut, y, c, rest, high, ir.node("Mul", [high.outputs[0], numbers["up"]])]
    producer = value.producer()
    for node in made:
        node.outputs[0].shape, node.outputs[0].type = value.shape, ir.TensorType(FLOAT)
        names.give(node, producer)
    if producer is None:
        graph.insert_before(graph[0], made)
    else:
        graph.insert_after(producer, made)
    return made[-1].outputs[0]


def to_tf32(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers with 10 bits of mantissa, rounded to nearest, ties to even."""
    cut = 23 - _TF32_BITS
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + (2 ** (cut - 1) - 1) + ((bits >> cut) & 1)) & np.uint32(2**32 - 2**cut)
    return np.where(np.isfinite(values), rounded.view(np.float32), values).astype(np.float32)

"""Wrong files: what a third party, or a bug, can make of an exported one, and what must not pass for it."""

import copy
from collections.abc import Callable

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from small_net import Small
from torch import Tensor, nn

from zoo.activations import SALU, SWALU

Change = Callable[[onnx.ModelProto], None]


class WithoutResidual(Small):
    """`Small` that forgot an addition."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act0(self.norm0(self.stem(x))))
        x = self.act1(self.norm1(self.conv1(x)))
        x = self.act2(self.norm2(self.down(x)))
        return self.head(self.act3(self.norm3(self.mix(self.wild(x)))).mean((2, 3)))


def _first(model: nn.Module, kind: type) -> nn.Module:
    return next(module for module in model.modules() if type(module) is kind)


def _swap(kind: type) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        site = _first(model, kind)
        a = site.a.clone()
        site.a.copy_(site.b)
        site.b.copy_(a)

    return change


def _swap_rows(model: nn.Module) -> None:
    for value in (model.head.weight, model.head.bias):
        value[:2] = value[:2].flip(0)


IN_THE_MODEL: dict[str, Callable[[nn.Module], object]] = {
    "swap a, b": _swap(SALU),
    "swap c, d": _swap(SWALU),
    "a times 1.001": lambda model: _first(model, SALU).a.mul_(1.001),
    "drop a residual": lambda model: setattr(model, "__class__", WithoutResidual),
    "one weight + 1e-3": lambda model: model.conv1.weight.view(-1)[5].add_(1e-3),
    "zero a bias": lambda model: model.conv1.bias.zero_(),
    "zero a channel": lambda model: model.conv1.weight[0].zero_(),
    "swap rows of logits": _swap_rows,
}
"""Files in float32 are made from the model that was changed so."""


def changed(model: nn.Module, change: Callable[[nn.Module], object]) -> nn.Module:
    """A copy of a model with one of `IN_THE_MODEL`."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        change(other)
    return other


def _prop(key: str, old: str, new: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        found = next(one for one in model.metadata_props if one.key == f"salu_zoo.{key}")
        assert old in found.value
        found.value = found.value.replace(old, new) if old else new

    return change


def drop_clip(model: onnx.ModelProto) -> None:
    """The first Clip of a SALU written out; only very large inputs show it."""
    node = next(node for node in model.graph.node if node.op_type == "Clip")
    for other in model.graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
    model.graph.node.remove(node)


IN_THE_RECORD: dict[str, Change] = {
    "mean": _prop("preprocess", "0.4", "0.5"),
    "standard deviation": _prop("preprocess", "0.25", "0.2"),
    "interpolation": _prop("preprocess", "bicubic", "bilinear"),
    "labels": _prop("labels", "ant", "bug"),
    "licence": _prop("license", "", "MIT"),
    "target": _prop("target", "", "web"),
}


def stored(model: onnx.ModelProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name)).copy()


def store(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    tensor = next(t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(values.astype(numpy_helper.to_array(tensor).dtype), name))


def _of_type(model: onnx.ModelProto, kind: int) -> list[onnx.NodeProto]:
    """The nodes that make stored numbers of a type float32, in order: weights are int8, biases int32."""
    names = {tensor.name for tensor in model.graph.initializer if tensor.data_type == kind}
    return [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] in names]


Numbers = Callable[[np.ndarray], object]


def _weights(position: int, change: Numbers, part: int = 0, kind: int = TensorProto.INT8) -> Change:
    def apply(model: onnx.ModelProto) -> None:
        name = _of_type(model, kind)[position].input[part]
        values = stored(model, name)
        change(values)
        store(model, name, values)

    return apply


def _table(change: Callable[[dict[str, onnx.AttributeProto]], object], kind: str = "QSaluSwalu") -> Change:
    def apply(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == kind)
        change({one.name: one for one in node.attribute})

    return apply


def _swap_attributes(one: str, other: str) -> Callable[[dict[str, onnx.AttributeProto]], None]:
    def change(found: dict[str, onnx.AttributeProto]) -> None:
        found[one].f, found[other].f = found[other].f, found[one].f

    return change


def _drop_operand(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "QSaluAddSwalu")
    node.op_type = "QSaluSwalu"
    del node.input[1]
    for one in [one for one in node.attribute if one.name.startswith("r_")]:
        node.attribute.remove(one)


def _quantiser(part: int, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Of the input."""

    def apply(model: onnx.ModelProto) -> None:
        name = next(node for node in model.graph.node if node.op_type == "QuantizeLinear").input[part]
        store(model, name, change(stored(model, name)))

    return apply


def _swap_first_two(model: onnx.ModelProto) -> None:
    head = next(node for node in model.graph.node if node.op_type == "Gemm")
    by_output = {node.output[0]: node for node in model.graph.node}
    across = next((one.i for one in head.attribute if one.name == "transB"), 0) == 0
    for name in head.input[1:]:
        for part in by_output[name].input:
            values = stored(model, part)
            if values.ndim == 2 and across:
                values[:, [0, 1]] = values[:, [1, 0]]
            elif values.ndim:
                values[[0, 1]] = values[[1, 0]]
            store(model, part, values)


def _first_value(factor: float) -> Numbers:
    return lambda values: values.reshape(-1)[:1].__imul__(np.float32(factor))


IN_INTEGERS: dict[str, Change] = {
    "swap a, b": _table(_swap_attributes("a", "b")),
    "swap c, d": _table(_swap_attributes("c", "d")),
    "a times 1.001": _table(lambda found: setattr(found["a"], "f", found["a"].f * 1.001)),
    "drop a residual": _drop_operand,
    "one weight + 1": _weights(1, lambda values: values.reshape(-1)[5:6].__iadd__(1)),
    "zero a bias": _weights(0, lambda values: values.fill(0), kind=TensorProto.INT32),
    "zero a channel": _weights(1, lambda values: values[0].fill(0)),
    "swap rows of logits": _swap_first_two,
    "scale of the input times 1.1": _quantiser(1, lambda values: values * np.float32(1.1)),
    "zero point of the input + 10": _quantiser(2, lambda values: values + 10),
    "zero point of a table + 10": _table(
        lambda found: setattr(found["y_zero_point"], "i", found["y_zero_point"].i + 10)
    ),
    "scale of a channel times 4": _weights(1, _first_value(4), part=1),
    "scale of a channel times 10": _weights(1, _first_value(10), part=1),
}
"""What is done to a file in integers itself."""

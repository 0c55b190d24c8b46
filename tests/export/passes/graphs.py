"""Small graphs of our operators, and what ONNX Runtime makes of them once they are written out."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

from export.operators.nodes import ATTRIBUTES, DOMAIN, VERSION
from export.passes.write_out import WriteOut
from export.runtime.session import open_session, run_session

Array = NDArray[np.floating]
SHAPE = (2, 6, 5, 5)
OPSETS = {"": 20, DOMAIN: VERSION}


class Builder:
    """Adds nodes to a graph that is made at the end."""

    def __init__(self, shape: tuple[int, ...] = SHAPE) -> None:
        self.tape, self.shape = Tape(), shape
        self.x = self._shaped(ir.val("x"), shape)
        self.weights: list[ir.Value] = []
        self.random = np.random.default_rng(0)

    def ours(self, name: str, x: ir.Value, *values: float) -> ir.Value:
        attributes = dict(zip(ATTRIBUTES[name], values, strict=True))
        made = self.tape.op(name, [x], attributes, domain=DOMAIN, version=VERSION)
        return self._shaped(made, list(x.shape))

    def standard(self, name: str, *inputs: ir.Value, shape: tuple[int, ...] | None = None, **attributes) -> ir.Value:
        return self._shaped(self.tape.op(name, inputs, attributes), shape or list(inputs[0].shape))

    def weight(self, *shape: int) -> ir.Value:
        value = self.random.normal(size=shape).astype(np.float32)
        made = ir.val(f"weight_{len(self.weights)}", const_value=ir.tensor(value))
        self.weights.append(made)
        return made

    def model(self, *outputs: ir.Value) -> ir.Model:
        for i, value in enumerate(outputs):
            value.name = f"y{i}"
        graph = ir.Graph(
            [self.x], outputs, nodes=self.tape.nodes, initializers=self.weights, opset_imports=dict(OPSETS), name="g"
        )
        return ir.Model(graph, ir_version=10)

    @staticmethod
    def _shaped(value: ir.Value, shape) -> ir.Value:
        value.shape, value.type = ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
        return value


def inputs(shape: tuple[int, ...] = SHAPE, scale: float = 3.0) -> Array:
    return (scale * np.random.default_rng(1).normal(size=shape)).astype(np.float32)


def run(model: ir.Model, x: Array) -> list[Array]:
    """Write our operators out and run the graph, with the runtime's own rewrites off."""
    WriteOut()(model)
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = open_session(proto.SerializeToString(), optimize=False, threads=1)
    return run_session(session, {"x": x}, [value.name for value in model.graph.outputs])


def before_and_after(build: Callable[[], ir.Model], change: ir.passes.InPlacePass) -> tuple[ir.Model, bool]:
    """Apply a pass to a graph and check that its outputs are those it had.

    Returns:
        The changed graph, not written out, and whether the pass says that it changed anything.
    """
    x = inputs(tuple(build().graph.inputs[0].shape.numpy()))
    expected = run(build(), x)
    changed = build()
    modified = change(changed).modified
    kept = ir.from_proto(ir.to_proto(changed))
    for found, wanted in zip(run(changed, x), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())
    return kept, modified


def names(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]

"""A 16-bit graph in float32 that rounds as the 16-bit one does, to the bit."""

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from export.passes.name_nodes import NameNodes
from export.passes.simulate import simulated, to_tf32
from export.passes.sixteen_bits import ToSixteenBits
from export.passes.write_out import WriteOut
from export.runtime.session import open_session, run_session

from .graphs import Builder, inputs


def chain() -> ir.Model:
    """Elementwise operators only, whose result in float16 is defined to the bit."""
    build = Builder()
    y = build.ours("Swalu", build.ours("Salu", build.x, 1.3, 0.4), 0.7, 0.9)
    model = build.model(build.standard("Mul", y, build.x))
    ir.passes.Sequential(WriteOut(half=True), NameNodes())(model)
    return model


def test_float16_is_that_of_numpy_to_the_bit():
    model, x = chain(), inputs()
    ToSixteenBits("float16", "CUDA")(model)
    file = ir.to_proto(model).SerializeToString()
    expected = ReferenceEvaluator(onnx.load_from_string(file)).run(None, {"x": x})[0]
    found = run_session(open_session(simulated(file, "float16"), threads=1), {"x": x})[0]
    np.testing.assert_array_equal(found, expected)
    plain = run_session(open_session(file, threads=1), {"x": x})[0]
    assert np.abs(plain - expected).max() > 0, "ONNX Runtime rounds by itself; the simulation is not needed"


def test_bfloat16_rounds_behind_every_node():
    build = Builder((64,))
    model = build.model(build.standard("Mul", build.standard("Mul", build.x, build.x), build.x))
    ir.passes.Sequential(NameNodes(), ToSixteenBits("bfloat16", "CUDA"))(model)
    x = inputs((64,))
    brain = x.astype(ml_dtypes.bfloat16)
    expected = ((brain * brain) * brain).astype(np.float32)
    file = ir.to_proto(model).SerializeToString()
    found = run_session(open_session(simulated(file, "bfloat16"), threads=1), {"x": x})[0]
    np.testing.assert_array_equal(found, expected)


def test_values_keep_their_names():
    """A check may ask for a value in the middle: its name means the rounded one."""
    model, x = chain(), inputs()
    ToSixteenBits("float16", "CUDA")(model)
    proto = ir.to_proto(model)
    middle = next(node.output[0] for node in proto.graph.node if node.op_type == "Sqrt")
    proto.graph.output.append(onnx.ValueInfoProto(name=middle))
    session = open_session(simulated(proto.SerializeToString(), "float16"), threads=1)
    (found,) = run_session(session, {"x": x}, [middle])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, found.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_tf32_has_eleven_bits(scale):
    build = Builder((4, 8))
    model = build.model(build.standard("MatMul", build.x, build.weight(8, 3), shape=(4, 3)))
    NameNodes()(model)
    x = inputs((4, 8)) * np.float32(scale)
    weight = model.graph.initializers["weight_0"].const_value.numpy()
    file = ir.to_proto(model).SerializeToString()
    found = run_session(open_session(simulated(file, "tf32"), threads=1), {"x": x})[0]
    expected = to_tf32(x).astype(np.float64) @ to_tf32(weight).astype(np.float64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7 * np.abs(expected).max())
    exact = x.astype(np.float64) @ weight.astype(np.float64)
    assert np.abs(found - exact).max() > 1e-5 * np.abs(exact).max()


def test_to_tf32():
    x = np.array([1 + 2.0**-10, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-11 + 2.0**-20, -0.0, np.inf], np.float32)
    expected = np.array([1 + 2.0**-10, 1.0, 1 + 2.0**-9, 1 + 2.0**-10, -0.0, np.inf], np.float32)
    np.testing.assert_array_equal(to_tf32(x), expected)
    largest = run_largest()
    assert np.isfinite(largest).all()


def run_largest() -> np.ndarray:
    build = Builder((1, 1))
    model = build.model(build.standard("MatMul", build.x, build.weight(1, 1), shape=(1, 1)))
    NameNodes()(model)
    file = simulated(ir.to_proto(model).SerializeToString(), "tf32")
    return run_session(open_session(file, threads=1), {"x": np.full((1, 1), np.finfo(np.float32).max)})[0]

"""A graph converted to 16 bits: what becomes narrow, what stays wide, and that it computes the same up to rounding."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from export.errors import LoweringError
from export.passes.name_nodes import SCOPES_KEY, NameNodes
from export.passes.sixteen_bits import ToSixteenBits

from .graphs import Builder, inputs

FLOAT, HALF, BRAIN = ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16


def scope(value: ir.Value, path: str) -> ir.Value:
    value.producer().metadata_props[SCOPES_KEY] = repr(["", path, "node"])
    return value


def network() -> ir.Model:
    """A layer, a statistic of it that scales it, a sum over positions, and a flag that is counted."""
    build = Builder()
    weight, bias = build.weight(6, 6, 1, 1), build.weight(6)
    y = scope(build.standard("Conv", build.x, weight, bias), "conv")
    axes = ir.val("axes", const_value=ir.tensor(np.array([2, 3], np.int64)))
    zero = ir.val("zero", const_value=ir.tensor(np.array(0, np.float32)))
    total = scope(build.standard("ReduceSum", y, axes, shape=(2, 6, 1, 1), keepdims=1), "act")
    flag = scope(build.standard("Greater", y, zero), "act")
    flag.type = ir.TensorType(ir.DataType.BOOL)
    ones = scope(build.standard("Cast", flag, to=int(FLOAT)), "act")
    count = scope(build.standard("ReduceSum", ones, axes, shape=(2, 6, 1, 1), keepdims=1), "act")
    one = ir.val("one", const_value=ir.tensor(np.array(1, np.float32)))
    mean = scope(build.standard("Div", total, scope(build.standard("Max", count, one), "act")), "act")
    gated = scope(build.standard("Mul", y, mean), "act")
    build.weights += [axes, zero, one]
    return build.model(scope(build.standard("Softmax", gated, axis=1), "head"))


def converted(model: ir.Model, precision: str = "float16", place: str = "CUDA") -> ir.Model:
    ir.passes.Sequential(NameNodes(), ToSixteenBits(precision, place))(model)
    return model


def types(model: ir.Model) -> dict[str, list]:
    return {str(node.name): [value.dtype for value in node.outputs] for node in model.graph}


@pytest.mark.parametrize(("precision", "narrow"), [("float16", HALF), ("bfloat16", BRAIN)])
def test_what_is_narrow_and_what_is_wide(precision, narrow):
    model = converted(network(), precision)
    found = types(model)
    assert found["conv/Conv"] == [narrow]
    assert found["act/Mul"] == [narrow]
    for wide in ("act/ReduceSum", "act/ReduceSum_1", "act/Div", "act/Max", "act/Cast", "head/Softmax"):
        assert found[wide] == [FLOAT], wide
    assert (model.graph.inputs[0].dtype, model.graph.outputs[0].dtype) == (FLOAT, FLOAT)
    assert model.graph.outputs[0].name == "y0"
    stored = {value.dtype for value in model.graph.initializers.values() if value.name.startswith("weight")}
    assert stored == {narrow}
    onnx.checker.check_model(ir.to_proto(model), full_check=True)


def test_a_value_is_cast_once():
    model = converted(network())
    casts = [(node.inputs[0], node.outputs[0].dtype) for node in model.graph if node.op_type == "Cast"]
    assert len(casts) == len(set(casts))
    assert len({node.name for node in model.graph}) == len(list(model.graph))


def test_it_computes_the_same_up_to_rounding():
    x = inputs()
    expected = ReferenceEvaluator(ir.to_proto(network())).run(None, {"x": x})[0]
    found = ReferenceEvaluator(ir.to_proto(converted(network()))).run(None, {"x": x})[0]
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.02


def test_opset_of_bfloat16_has_its_convolutions():
    assert converted(network()).opset_imports[""] == 20
    assert converted(network(), "bfloat16").opset_imports[""] == 22


def test_input_beyond_float16_is_cut():
    build = Builder((3,))
    model = converted(build.model(build.standard("Neg", build.x)))
    x = np.array([1e30, -1e30, 2.0], np.float32)
    np.testing.assert_array_equal(
        ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": x})[0], np.array([-65504, 65504, -2], np.float32)
    )


def test_stored_numbers_beyond_float16_stay_finite():
    build = Builder((2,))
    lowest = ir.val("lowest", const_value=ir.tensor(np.array([np.finfo(np.float32).min, -np.inf], np.float32)))
    build.weights.append(lowest)
    model = converted(build.model(build.standard("Max", build.x, lowest)))
    stored = next(v.const_value.numpy() for v in model.graph.initializers.values() if v.name.startswith("lowest"))
    np.testing.assert_array_equal(stored, np.array([-65504, -np.inf], np.float16))


@pytest.mark.parametrize(("number", "kind"), [(2.0**-126, FLOAT), (2.0**-20, HALF), (0.0, HALF)])
def test_what_reads_a_number_that_vanishes_stays_wide(number, kind):
    build = Builder((3,))
    ends = [ir.val(f"end {i}", const_value=ir.tensor(np.array(v, np.float32))) for i, v in enumerate((-1.0, number))]
    build.weights += ends
    model = converted(build.model(build.standard("Neg", build.standard("Clip", build.standard("Neg", build.x), *ends))))
    assert next(node.outputs[0].dtype for node in model.graph if node.name == "/Clip") == kind


def test_branches_are_refused():
    flag = ir.val("flag", const_value=ir.tensor(np.array(True)))
    node = ir.Node("", "If", [flag], [ir.AttrGraph("then_branch", ir.Graph([], [], nodes=[], name="body"))])
    graph = ir.Graph([], node.outputs, nodes=[node], initializers=[flag], opset_imports={"": 20}, name="g")
    with pytest.raises(LoweringError, match="branches or loops"):
        ToSixteenBits("float16", "CUDA")(ir.Model(graph, ir_version=10))

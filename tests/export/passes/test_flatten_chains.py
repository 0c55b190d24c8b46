"""Elementwise chains on a flat view: the same numbers, whichever batch, and only where nothing else is in the way."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from export.passes.flatten_chains import FlattenChains
from export.passes.write_out import WriteOut
from export.runtime.session import open_session, run_session

from .graphs import Builder, inputs, names

SHAPE = ("batch", 6, 5, 5)


def block(made: Builder):
    """SALU of a convolution, its sum with the input, SWALU, and a convolution behind it."""
    conv = made.standard("Conv", made.x, made.weight(6, 6, 1, 1), shape=SHAPE)
    total = made.standard("Add", made.ours("Salu", conv, 1.5, 0.4), made.ours("Swalu", made.x, 0.7, 0.9))
    gated = made.ours("Swalu", total, 0.6, 0.9)
    return made.standard("Conv", gated, made.weight(6, 6, 1, 1), shape=SHAPE), gated


def written(build, shape=SHAPE) -> ir.Model:
    made = Builder(shape)
    model = made.model(*build(made))
    WriteOut()(model)
    return model


def outputs(model: ir.Model, x: np.ndarray) -> list[np.ndarray]:
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return run_session(open_session(proto.SerializeToString(), optimize=False, threads=1), {"x": x})


@pytest.mark.parametrize("batch", [1, 3])
def test_it_computes_the_same_bits_for_every_batch(batch):
    x = inputs((batch, *SHAPE[1:]))
    model = written(block)
    expected = outputs(model, x)
    assert FlattenChains()(model).modified
    for found, wanted in zip(outputs(model, x), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert [str(v.shape[0]) for v in model.graph.outputs] == ["batch", "batch"]


def test_one_view_for_each_value_that_enters_and_one_for_what_leaves():
    model = written(block)
    FlattenChains()(model)
    views = [node for node in model.graph if node.op_type == "Reshape"]
    assert len(views) == 3  # the input, the first convolution, and the gate, for the second one and the user alike
    flat = [node for node in model.graph if node.op_type not in ("Reshape", "Conv", "Clip")]
    assert all(len(node.outputs[0].shape) == 2 for node in flat)
    assert [value.name for value in model.graph.outputs] == ["y0", "y1"]


def test_a_clip_that_a_convolution_takes_in_stays_with_it():
    model = written(block)
    FlattenChains()(model)
    clip = next(node for node in model.graph if node.op_type == "Clip")
    assert clip.inputs[0].producer().op_type == "Conv"
    assert len(clip.outputs[0].shape) == 4


def relu6(made: Builder):
    low, high = (ir.val(name, const_value=ir.tensor(np.float32(value))) for name, value in (("low", 0), ("high", 6)))
    made.weights += [low, high]
    return (made.standard("Add", made.standard("Clip", made.x, low, high), made.x),)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (relu6, SHAPE),
        (lambda made: (made.ours("Salu", made.x, 1.5, 0.4),), ("batch", 7, 6)),
        (lambda made: (made.ours("Salu", made.x, 1.5, 0.4),), ("batch", 6, "height", "width")),
    ],
)
def test_what_is_left_alone(build, shape):
    model = written(build, shape)
    before = names(model)
    assert not FlattenChains()(model).modified
    assert names(model) == before

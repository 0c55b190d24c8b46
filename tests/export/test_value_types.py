"""A file cannot choose how it is judged: what it computes in is read from its graph."""

import numpy as np
import onnx
import pytest
from made import make
from tiny_model import tiny

from export import validate
from export.digest import seal
from export.errors import ChangedFileError
from export.inputs.source import read_source
from export.targets import get_target, list_targets
from export.value_types import graph_precision, stored_in


def relabelled(copy_of, target, precision, by):
    """A float32 file, one of its weights off, that says it computes in something else; its digest is right."""
    path = copy_of()
    proto = onnx.load(path)
    weight = next(one for one in proto.graph.initializer if one.name == "conv.weight")
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[5] += by
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    next(one for one in proto.metadata_props if one.key == "salu_zoo.target").value = target
    proto.metadata_props.add(key="salu_zoo.precision", value=precision)
    seal(proto)
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize(
    ("target", "precision", "by"),
    [("edge_int8", "int8", 0.1), ("gpu_cuda", "float16", 1e-2), ("gpu_cuda", "bfloat16", 1e-2)],
)
def test_a_label_that_the_graph_contradicts_is_refused(copy_of, spec, target, precision, by):
    path = relabelled(copy_of, target, precision, by)
    with pytest.raises(ChangedFileError, match=rf"says that it computes in {precision} .*its graph holds float32"):
        validate(path, tiny(), input_spec=spec, threads=1)


@pytest.mark.parametrize(("target", "precision"), [("gpu_cuda", "tf32"), ("gpu_tensorrt", "tf32")])
def test_what_is_computed_from_a_float32_graph_is_proven_in_float32_first(copy_of, spec, target, precision):
    report = validate(relabelled(copy_of, target, precision, 1e-3), tiny(), input_spec=spec, threads=1)
    assert not report.passed
    assert report.precision == "float32"
    report = validate(relabelled(copy_of, target, precision, 0.0), tiny(), input_spec=spec, threads=1)
    assert report.passed
    assert report.precision == precision


# One for each way to a file: as it is traced, narrowed, and with operators of our own.
QUICK = {("portable", "float32"), ("gpu_cuda", "float16"), ("edge_cpu", "float32")}


@pytest.mark.parametrize(
    ("target", "precision"),
    [
        pytest.param(name, one, marks=() if (name, one) in QUICK else pytest.mark.slow)
        for name in list_targets()
        for one in get_target(name).precisions
        if one != "int8"
    ],
)
def test_every_target_holds_what_it_says(spec, target, precision):
    graph = make(read_source(tiny(), input_spec=spec), target, precision).graph
    assert graph_precision(graph) == stored_in(get_target(target), precision)


def test_a_stored_number_that_nothing_reads_decides_nothing(exported):
    graph = onnx.load(exported.path).graph
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(10**6, np.float16), "unread"))
    assert graph_precision(graph) == "float32"
    graph.node.append(onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"]))
    assert graph_precision(graph) == "int8"

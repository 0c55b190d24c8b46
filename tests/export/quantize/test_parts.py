"""The parts of quantisation, each on its own."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from PIL import Image
from small_net import LABELS, SIZE, small

import export.quantize.exactness as exactness
from export import InputSpec, open_session
from export.errors import CalibrationError
from export.inputs.source import read_source
from export.layouts.means import shown
from export.layouts.optimised import optimised
from export.lower.to_onnx import lower
from export.operators.nodes import make_node
from export.passes.fuse_add import FuseAdd
from export.passes.fuse_pair import FusePair
from export.passes.merge_salu import MergeSalu
from export.passes.name_nodes import NameNodes
from export.passes.to_tables import ToTables
from export.quantize.calibration_data import evaluation_images
from export.quantize.quantized_sites import find_sites
from export.quantize.ranges import PERCENTILES, _ends, measure
from export.quantize.running import signal_to_noise_db
from export.quantize.sensitivity import rank
from export.runtime.session import run_session
from export.targets import get_target
from zoo.errors import ConfigurationError, ShapeError


@pytest.fixture(scope="module")
def graph(small_spec) -> ir.Model:
    """`small()` in float32, fused and named."""
    model = lower(read_source(small(), input_spec=small_spec), get_target("edge_int8"))
    ir.passes.Sequential(MergeSalu(), FuseAdd(), FusePair(), NameNodes())(model)
    return model


def test_sites_are_layers_with_what_stays_in_integers_behind_them(graph):
    sites = {site.name: [name.partition("/")[2] for name in site.nodes] for site in find_sites(graph.graph)}
    assert sites == {
        "stem/Conv": ["Conv", "SaluSwalu", "MaxPool"],
        "conv1/Conv": ["Conv", "SaluAddSwalu"],
        "down/Conv": ["Conv", "SaluSwalu"],
        "wild/Conv": ["Conv"],
        "mix/Conv": ["Conv", "SaluSwalu"],
        "head/Gemm": ["Gemm"],
    }


def test_ranges_are_extremes_and_percentiles(graph, pictures):
    name = str(next(node for node in graph.graph if node.op_type == "Conv").outputs[0].name)
    with torch.inference_mode():
        value = small().stem(pictures[:16]).numpy()
    found = measure(graph, [name], pictures[:16], 1)
    assert found[100.0][name] == pytest.approx((value.min(), value.max()), rel=1e-5)
    assert found[99.9][name] == pytest.approx(np.percentile(value, [0.05, 99.95]).tolist(), rel=1e-4)
    assert value.min() < found[99.99][name][0] < found[99.9][name][0]


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_percentile_sees_every_channel_row_and_column(axis):
    """Every fourth of a million values is looked at; every fourth column would give the narrow ones alone."""
    shape = (16, 64, 32, 32)
    value = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    wide = np.arange(shape[axis]) % 4 != 0
    value *= np.where(wide, 3.0, 1.0).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
    found = _ends("x", value)
    assert found[100.0] == (value.min(), value.max())
    for percentile in PERCENTILES[1:]:
        expected = np.percentile(value, [(100 - percentile) / 2, (100 + percentile) / 2])
        assert found[percentile] == pytest.approx(expected.tolist(), rel=0.05)


def test_a_range_that_is_not_finite_is_refused(graph):
    name = str(next(node for node in graph.graph if node.op_type == "Conv").outputs[0].name)
    with pytest.raises(CalibrationError, match="becomes NaN or infinite"):
        measure(graph, [name], torch.full((1, *SIZE), torch.inf), 1)


def test_the_ranking_finds_the_layer_with_the_narrowest_range(graph, pictures):
    sites = find_sites(graph.graph)
    inside = {name for site in sites for name in site.nodes}
    touched = [v for n in graph.graph if n.name in inside for v in (*n.inputs, *n.outputs)]
    names = list(dict.fromkeys(str(v.name) for v in touched if not v.is_initializer()))
    ranges = measure(graph, names[1:], pictures[:16], 1)[100.0] | {names[0]: (-3.0, 3.0)}
    honest = rank(graph, sites, ranges, pictures[:8], 1)
    spoiled = str(next(n for n in graph.graph if n.name == "down/Conv").outputs[0].name)
    low, high = ranges[spoiled]
    found = rank(graph, sites, ranges | {spoiled: (low / 50, high / 50)}, pictures[:8], 1)
    assert found[0].name == "down/Conv"
    before = {entry.name: entry.signal_to_noise_db for entry in honest}
    assert found[0].signal_to_noise_db < before["down/Conv"] - 10
    assert {e.name: e.signal_to_noise_db for e in found if e.name != "down/Conv"} == pytest.approx(
        {name: ratio for name, ratio in before.items() if name != "down/Conv"}
    )


def test_signal_to_noise():
    exact = np.array([[1.0, -1.0], [2.0, -2.0]], np.float32)
    assert signal_to_noise_db(exact, exact * 1.1) == pytest.approx(20, abs=1e-4)
    assert signal_to_noise_db(exact, exact + 7) == signal_to_noise_db(exact, exact) == 150
    assert signal_to_noise_db(exact, exact * np.nan) == -150


def between_integers(second_reader: bool = False) -> ir.Model:
    """Quantised x, DequantizeLinear, SaluSwalu, QuantizeLinear, DequantizeLinear."""
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.UINT8), shape=ir.Shape([256]))
    numbers = {
        name: ir.val(name, const_value=ir.tensor(value, name=name))
        for name, value in {
            "sx": np.float32(0.05), "zx": np.uint8(120), "sy": np.float32(0.011), "zy": np.uint8(30),
        }.items()
    }  # fmt: skip
    wide = ir.node("DequantizeLinear", [x, numbers["sx"], numbers["zx"]])
    wide.outputs[0].shape, wide.outputs[0].type = x.shape, ir.TensorType(ir.DataType.FLOAT)
    ours = make_node("SaluSwalu", wide.outputs, (1.5, 0.7, 2.0, 0.9), wide.outputs[0])
    narrow = ir.node("QuantizeLinear", [ours.outputs[0], numbers["sy"], numbers["zy"]])
    narrow.outputs[0].shape, narrow.outputs[0].type = x.shape, x.type
    outputs = [narrow.outputs[0], *(ours.outputs if second_reader else [])]
    for value, name in zip(outputs, ("y", "f"), strict=False):
        value.name = name
    made = ir.Graph([x], outputs, nodes=[wide, ours, narrow], initializers=list(numbers.values()),
                    opset_imports={"": 20, "salu_zoo": 1})  # fmt: skip
    return ir.Model(made, ir_version=10)


def test_a_table_holds_what_the_float_operator_gives():
    codes = {"x": np.arange(256, dtype=np.uint8)}
    plain = between_integers()
    expected = run_session(open_session(ir.to_proto(plain).SerializeToString(), arranged=False), codes)[0]
    assert ToTables()(plain).modified
    assert [node.op_type for node in plain.graph] == ["QSaluSwalu"]
    found = run_session(open_session(ir.to_proto(plain).SerializeToString(), arranged=False), codes)[0]
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 50


def test_a_value_that_somebody_else_reads_gets_no_table():
    plain = between_integers(second_reader=True)
    assert not ToTables()(plain).modified


def test_the_cut_graph_runs_in_integers(made, pictures):
    """Else the comparison would hold float32 against itself."""
    content = made.path.read_bytes()
    names = exactness._uint8_tensors(content)
    session = open_session(shown(content, names), arranged=False, optimize=False)
    values = run_session(session, {"image": pictures[:2].numpy()}, names)
    shapes = {name: value.shape for name, value in zip(names, values, strict=True)}
    kinds = [
        node.op_type for node in optimised(ir.to_proto(exactness.cut(content, shapes)).SerializeToString()).graph.node
    ]
    assert kinds.count("QLinearConv") == 5
    assert "Conv" not in kinds


def test_integers_that_are_off_are_found(made, pictures, monkeypatch):
    real = exactness._cut_run

    def off(file, names, feeds, threads):
        found = real(file, names, feeds, threads)
        found[names[3]] = np.where(feeds[names[3]] < 128, feeds[names[3]] + 2, feeds[names[3]] - 2)
        return found

    monkeypatch.setattr(exactness, "_cut_run", off)
    found = exactness.check_exactness(made.path.read_bytes(), pictures[:8], 1)
    assert len(found.problems) == 1
    assert "2 steps from the file's definition" in found.problems[0]


def test_logits_that_depend_on_the_batch_are_found(made, pictures, monkeypatch):
    monkeypatch.setattr(exactness, "_batch_change", lambda session, images: 1e-3)
    assert "with the batch it is in" in exactness.check_exactness(made.path.read_bytes(), pictures[:8], 1).problems[0]


def test_evaluation_images_come_with_and_without_classes(small_spec):
    picture = Image.fromarray(np.full((16, 16, 3), 200, np.uint8))
    with_classes = evaluation_images([(picture, 2), (picture, 3)], small_spec)
    ((batch, numbers),) = with_classes.batches(8)
    assert (with_classes.labelled, numbers, batch.shape) == (True, [2, 3], (2, *SIZE))
    np.testing.assert_array_equal(batch[0], small_spec.transform(picture).numpy())
    assert not evaluation_images([picture], small_spec).labelled
    assert not evaluation_images(torch.zeros(2, *SIZE), small_spec).labelled


def test_evaluation_images_that_do_not_fit_are_refused(small_spec):
    class Other(list):
        labels = tuple(reversed(LABELS))

    with pytest.raises(ConfigurationError, match="number their classes differently"):
        evaluation_images(Other([(Image.new("RGB", (16, 16)), 0)]), small_spec)
    with pytest.raises(ShapeError, match="class numbers of shape"):
        evaluation_images((torch.zeros(2, *SIZE), torch.zeros(3)), small_spec)
    with pytest.raises(ConfigurationError, match="hold str"):
        list(evaluation_images(["text"], small_spec).batches(1))
    assert isinstance(InputSpec(*SIZE).transform.mean, tuple)


def test_graphs_without_weights_of_their_own_have_no_sites():
    assert find_sites(ir.from_proto(onnx.helper.make_model(onnx.helper.make_graph([], "none", [], []))).graph) == ()

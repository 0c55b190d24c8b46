"""The target `edge_int8`: what is in the file, what is measured and saved, and how the file is opened."""

import json

import numpy as np
import onnx
import pytest
import torch
from small_net import small
from torch import nn

import export.layouts.arranged_file as machine
import export.layouts.integer as integer
from export import export, load_predictor, open_session, validate
from export.errors import BlockedLayoutError, ModelMismatchError
from export.layouts.arranged_file import BlockedLayoutWarning
from export.parity.parity_report import ParityReport
from export.quantize.quantization_report import AccuracyReport, accuracy_path
from export.runtime.session import run_session


def operators(file: bytes) -> list[tuple[str, str]]:
    return [(node.domain, node.op_type) for node in onnx.load_from_string(file).graph.node]


def test_the_file_is_in_integers(made):
    graph = onnx.load(made.path).graph
    kinds = [node.op_type for node in graph.node]
    assert {kind: kinds.count(kind) for kind in kinds if "alu" in kind} == {"QSaluSwalu": 3, "QSaluAddSwalu": 1}
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    scales = {node.input[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"}
    sizes = {tensor.name: tensor.dims for tensor in graph.initializer}
    per_channel = [name for name in weights if name in scales and list(sizes[scales[name]]) == [weights[name].dims[0]]]
    assert len(per_channel) == 6  # five convolutions and the classifier
    largest = max(np.abs(onnx.numpy_helper.to_array(weights[name]).astype(int)).max() for name in per_channel)
    assert 32 < largest <= 64  # seven bits, so that no processor's 16-bit sums overflow


def test_what_it_costs_is_measured_and_saved(made, labelled):
    report = made.accuracy
    assert report.passed
    assert (report.measure, report.n, report.float32_right) == ("Top-1", 96, 96)
    predictor = load_predictor(made.path, threads=1)
    assert predictor.metadata.precision == "int8"
    right = int((predictor(labelled[0]).argmax(1) == labelled[1]).sum())
    assert report.last.right == right
    assert report.last.drop == pytest.approx(100 * (96 - right) / 96)
    assert len(report.sensitivity) == 6
    assert [e.signal_to_noise_db for e in report.sensitivity] == sorted(
        e.signal_to_noise_db for e in report.sensitivity
    )
    assert report.tried.keys() == {"100", "99.99", "99.9"}
    assert report.tried[f"{report.percentile:g}"] == max(report.tried.values())
    assert AccuracyReport.load(accuracy_path(made.path)) == report
    stored = json.loads(accuracy_path(made.path).read_text())
    assert (stored["passed"], stored["right"], stored["file_sha256"]) == (True, right, made.file_sha256)
    assert "float32 100.00 %" in report.summary()


def test_an_accuracy_report_beside_another_file_is_refused(made, tmp_path):
    report = accuracy_path(tmp_path / "other.onnx")
    report.write_bytes(accuracy_path(made.path).read_bytes())
    assert AccuracyReport.load(report) == made.accuracy  # alone it is about the file it names
    (tmp_path / "other.onnx").write_bytes(made.path.read_bytes() + b"x")
    with pytest.raises(ModelMismatchError, match=r"is not about other.onnx: it is about sha256 \w{12}.*Export"):
        AccuracyReport.load(report)


def test_parity_is_saved_and_repeated(made, small_spec, pictures):
    stored = ParityReport.load(made.parity_path)
    assert (stored.precision, stored.passed, stored.file_sha256) == ("int8", True, made.file_sha256)
    assert 1e-5 < stored.worst("max_rel", "images") < 1.0
    assert validate(made.path, small(), input_spec=small_spec, samples=pictures, threads=1).passed


def test_onnx_runtimes_integers_are_what_the_file_says(made):
    found = made.accuracy.exactness
    assert not found.problems
    assert found.worst_steps <= 1
    assert found.other <= found.values / 1000
    assert found.values > 8 * 16 * 16
    assert found.batch_change == 0.0


def test_it_opens_in_the_integer_layout_without_transposes_between(made):
    arranged = integer.arrange(made.path.read_bytes())
    found = operators(arranged)
    assert found.count(("com.microsoft", "QLinearConv")) == 5
    assert found.count(("salu_zoo", "QSaluSwalu")) == 3
    assert found.count(("salu_zoo", "QSaluAddSwalu")) == 1
    assert found.count(("", "Transpose")) <= 2  # of the image, and before the mean at the end
    assert not any(kind in ("QLinearSigmoid", "QLinearAdd") for _, kind in found)


def test_the_arrangement_changes_no_bit_and_is_kept(made, batch, monkeypatch):
    as_it_is = run_session(open_session(made.path, threads=1, arranged=False), batch)[0]
    open_session(made.path, threads=1)
    monkeypatch.setattr(machine, "_arrange", lambda file: pytest.fail("arranged once more"))
    np.testing.assert_array_equal(run_session(open_session(made.path, threads=1), batch)[0], as_it_is)


def test_a_failed_arrangement_is_said(made, batch, monkeypatch):
    def refuse(file):
        raise BlockedLayoutError("the stand-in did not come back")

    expected = run_session(open_session(made.path, threads=1, arranged=False), batch)[0]
    monkeypatch.setattr(machine, "_read", lambda place: None)
    monkeypatch.setattr(integer, "arrange", refuse)
    with pytest.warns(BlockedLayoutWarning, match="did not come back"):
        session = open_session(made.path, threads=1)
    np.testing.assert_array_equal(run_session(session, batch)[0], expected)


def test_a_stand_in_that_is_lost_is_refused(made, monkeypatch):
    def without(file):
        proto = onnx.load_from_string(file)
        for node in proto.graph.node:
            node.name = node.name.replace("salu_zoo_site", "other")
        return proto

    monkeypatch.setattr(integer, "optimised", lambda file: without(real(file).SerializeToString()))
    with pytest.raises(BlockedLayoutError, match="salu_zoo_site_0 did not come back"):
        integer.arrange(made.path.read_bytes())


real = integer.optimised


@pytest.mark.slow
def test_the_baseline_with_batch_norm_and_relu(small_spec, pictures, tmp_path):
    """No operators of ours; BatchNorm is folded before its convolution becomes integer."""
    model = small(norm=nn.BatchNorm2d, act=nn.ReLU)
    with torch.no_grad():
        for name, value in model.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0, generator=torch.Generator().manual_seed(1))
    result = export(
        model, tmp_path / "twin.onnx", target="edge_int8", input_spec=small_spec, calibration=pictures[:32],
        budget=100.0, threads=1,
    )  # fmt: skip
    assert "BatchNormalization" not in result.nodes
    assert result.accuracy.measure == "agreement with float32"
    assert (result.accuracy.n, result.accuracy.float32_right) == (16, 16)
    optimised = [kind for _, kind in operators(real(result.path.read_bytes()).SerializeToString())]
    assert (optimised.count("QLinearConv"), optimised.count("QLinearAdd"), optimised.count("Relu")) == (5, 1, 0)

"""The target `openvino`: proven in OpenVINO itself, run there again, and honest where the package is missing."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import torch
from tiny_model import SIZE, tiny

from export import (
    ExportError,
    OnnxFileError,
    ProviderError,
    export,
    load_predictor,
    measure_latency,
    open_session,
    validate,
)
from export.digest import seal
from export.errors import TargetError
from export.inputs.source import read_source
from export.pipeline.export_plan import make_plan
from export.pipeline.job import Job
from export.runtime import openvino_session as adapter
from export.runtime.engine import engine_here
from export.runtime.openvino_session import OpenVinoSession
from export.targets import get_target

needs_openvino = pytest.mark.skipif(not adapter.installed(), reason="the package openvino is not installed")
IMAGES = np.random.default_rng(0).normal(size=(3, *SIZE)).astype(np.float32)


@pytest.fixture(scope="session")
def file(spec, tmp_path_factory):
    if not adapter.installed():
        pytest.skip("the package openvino is not installed")
    return export(
        tiny(), tmp_path_factory.mktemp("openvino") / "tiny.onnx", target="openvino", input_spec=spec, threads=1
    )


def test_it_is_proven_in_openvino(file):
    report = file.parity
    assert report.passed
    assert report.worst("max_rel") <= 1e-5
    assert report.engine == f"OpenVINO {adapter.version()}"
    assert report.providers == ("OpenVINO CPU (f32)",)
    assert report.not_run == ""
    assert report.versions["openvino"] == adapter.version()
    assert "onnxruntime" not in report.versions


def test_the_file_holds_standard_operators_only_and_loads_in_onnxruntime(file):
    assert {node.domain for node in onnx.load(file.path).graph.node} == {""}
    expected = open_session(file.path, threads=1).run(None, {"image": IMAGES})[0]
    found = OpenVinoSession(file.path, threads=1).run(None, {"image": IMAGES})[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_file_runs_in_the_runtime_of_its_target(file, exported):
    predictor = load_predictor(file.path, threads=1)
    assert isinstance(predictor.session, OpenVinoSession)
    said = predictor.describe()
    assert said["runtime"] == f"openvino {adapter.version()}"
    assert (said["target"], said["precision"]) == ("openvino", "float32")
    assert predictor.metadata.not_run == ""
    images = torch.from_numpy(IMAGES)
    with torch.inference_mode():
        torch.testing.assert_close(predictor(images), tiny().eval()(images), rtol=0, atol=1e-5)
    assert not isinstance(load_predictor(exported.path, threads=1).session, OpenVinoSession)


def test_another_runtime_is_an_explicit_argument(file):
    predictor = load_predictor(file.path, providers="CPUExecutionProvider", threads=1)
    assert predictor.describe()["runtime"].startswith("onnxruntime ")
    assert isinstance(load_predictor(file.path, device="cpu", threads=1).session, OpenVinoSession)
    with pytest.raises(ProviderError, match=r"is for OpenVINO.*not on cuda:0"):
        load_predictor(file.path, device="cuda:0")


def test_validate_repeats_the_proof_there(file, spec):
    report = validate(file.path, tiny(), input_spec=spec, threads=1)
    assert report.passed
    assert report.providers == ("OpenVINO CPU (f32)",)


def test_a_wrong_file_is_found_and_located(file, spec):
    proto = onnx.load(file.path)
    bias = next(value for value in proto.graph.initializer if value.name == "conv.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.05), bias.name))
    changed = file.path.with_name("changed.onnx")
    seal(proto)
    onnx.save(proto, changed)
    report = validate(changed, tiny(), input_spec=spec, threads=1)
    assert not report.passed
    assert "norm2" in report.first_difference or "conv" in report.first_difference


def test_settings_are_said_to_openvino(file):
    session = OpenVinoSession(file.path, threads=1)
    assert session.setting("INFERENCE_NUM_THREADS") == 1
    assert session.setting("NUM_STREAMS") == 1
    assert str(session.setting("PERFORMANCE_HINT")).endswith("LATENCY")
    assert "float32" in str(session.setting("INFERENCE_PRECISION_HINT"))
    assert OpenVinoSession(file.path).threads >= 1


def test_single_images_and_batches_agree(file):
    session = OpenVinoSession(file.path.read_bytes(), threads=1)
    alone = np.concatenate([session.run(None, {"image": IMAGES[i : i + 1]})[0] for i in range(3)])
    together = session.run(["logits"], {"image": IMAGES})[0]
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6 * np.abs(together).max())
    first, second = (session.run(None, {"image": x})[0] for x in (IMAGES[:1], IMAGES[1:2]))
    assert np.abs(first - second).max() > 0, "a result must not be a view of the next one's memory"
    np.testing.assert_array_equal(first, alone[:1])


def test_threads_of_a_program_take_turns(file):
    session, images = OpenVinoSession(file.path, threads=1), [IMAGES[:1], IMAGES, IMAGES[1:2], -IMAGES]
    expected = [session.run(None, {"image": x})[0] for x in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: session.run(None, {"image": images[i % 4]})[0], range(64)))
    for i, value in enumerate(found):
        np.testing.assert_array_equal(value, expected[i % 4])


def test_the_model_is_timed_there(file, spec):
    found = measure_latency(file.path, tiny(), input_spec=spec, runs=2, warmup=1, threads=1)
    assert found.onnxruntime.p50_ms > 0


def test_inputs_and_outputs_are_described_as_onnxruntime_does(file):
    ours, theirs = OpenVinoSession(file.path, threads=1), open_session(file.path, threads=1)
    for mine, other in zip(
        ours.get_inputs() + ours.get_outputs(), theirs.get_inputs() + theirs.get_outputs(), strict=True
    ):
        assert (mine.name, mine.type) == (other.name, other.type)
        assert mine.shape == [size if isinstance(size, int) else None for size in other.shape]
    assert ours.get_modelmeta().custom_metadata_map == theirs.get_modelmeta().custom_metadata_map


def test_bad_input_is_one_clear_error(file, tmp_path):
    session = OpenVinoSession(file.path, threads=1)
    with pytest.raises(ExportError, match=r"OpenVINO .* stopped at image \("):
        session.run(["no such output"], {"image": IMAGES})
    with pytest.raises(ProviderError, match="takes float32 or bfloat16"):
        OpenVinoSession(file.path, precision="float16")
    with pytest.raises(OnnxFileError, match="does not load in OpenVINO"):
        OpenVinoSession(file.path.read_bytes()[:1000])
    with pytest.raises(OnnxFileError, match="There is no file"):
        OpenVinoSession(tmp_path / "none.onnx")


def test_bfloat16_is_the_same_graph_in_another_arithmetic(file, spec, tmp_path):
    try:
        OpenVinoSession(file.path, precision="bfloat16", threads=1)
    except ProviderError as error:
        pytest.skip(str(error))
    result = export(tiny(), tmp_path / "b.onnx", target="openvino", precision="bfloat16", input_spec=spec, threads=1)
    assert result.parity.providers == ("OpenVINO CPU (bf16)",)
    assert 1e-4 < result.parity.worst("max_rel", "images") < 5e-2
    assert result.nodes == file.nodes
    assert load_predictor(result.path, threads=1).session.precision == "bfloat16"


@needs_openvino
def test_texts(text_exported):
    """Two free axes, and inputs of whole numbers."""
    ours = OpenVinoSession(text_exported.path, threads=1)
    assert [(given.type, given.shape) for given in ours.get_inputs()] == [("tensor(int64)", [None, None])] * 3
    theirs = open_session(text_exported.path, threads=1)
    for batch, tokens in ((1, 3), (2, 7), (1, 12)):
        feeds = {given.name: np.ones((batch, tokens), np.int64) for given in ours.get_inputs()}
        feeds["token_type_ids"][:, -1:] = 0
        expected = theirs.run(None, feeds)[0]
        found = ours.run(None, feeds)[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.fixture
def without_openvino(monkeypatch):
    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)


def test_without_the_package_the_file_is_checked_elsewhere_and_says_so(spec, tmp_path, without_openvino):
    seen = []
    result = export(
        tiny(),
        tmp_path / "x.onnx",
        target="openvino",
        input_spec=spec,
        threads=1,
        on_plan=lambda plan: seen.append(plan.render()),
    )
    reason = "not run in OpenVINO: not installed; simulated on the CPU"
    assert reason in seen[0]
    assert result.parity.not_run == reason
    assert reason in result.parity.summary()
    assert result.parity.engine.startswith("ONNX Runtime ")
    assert result.parity.to_dict()["not_run"] == reason
    assert validate(result.path, tiny(), input_spec=spec, threads=1).not_run == reason
    with pytest.raises(ProviderError, match=r"does not load.*pip install openvino"):
        load_predictor(result.path)
    predictor = load_predictor(result.path, providers="CPUExecutionProvider", threads=1)
    assert predictor.metadata.not_run == reason


def test_without_the_package_nothing_stands_in_for_its_bfloat16(spec, tmp_path, without_openvino):
    with pytest.raises(ProviderError, match=r"nothing else computes its bfloat16.*pip install openvino"):
        export(tiny(), tmp_path / "x.onnx", target="openvino", precision="bfloat16", input_spec=spec)
    assert not list(tmp_path.iterdir())


def test_precisions():
    assert get_target("openvino").precisions == ("float32", "bfloat16")
    with pytest.raises(TargetError, match="float16"):
        export(tiny(), "x.onnx", target="openvino", precision="float16")


@needs_openvino
def test_the_plan_names_the_runtime(spec, tmp_path):
    job = Job(source=read_source(tiny(), input_spec=spec), target=get_target("openvino"), path=tmp_path / "x.onnx")
    assert f"OpenVINO {adapter.version()} against PyTorch" in make_plan(job).render()
    assert engine_here(get_target("openvino"), "float32").not_run == ""

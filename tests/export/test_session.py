"""`open_session`: exactly the providers asked for, or one clear error."""

import numpy as np
import onnxruntime
import pytest
import torch
from tiny_model import SIZE

from export import ExportError, OnnxFileError, ProviderError, open_session
from export.runtime import providers as providers_module
from export.runtime import session as session_module
from export.runtime.providers import ProviderFallbackWarning, provider_options
from export.runtime.session import ORT_ERRORS, run_session

IMAGES = np.random.default_rng(0).normal(size=(3, *SIZE)).astype(np.float32)


def test_default_is_the_cpu_and_bits_repeat(exported):
    results = [open_session(exported.path, threads=n).run(None, {"image": IMAGES})[0] for n in (1, 1, 2)]
    assert open_session(exported.path).get_providers() == ["CPUExecutionProvider"]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_allclose(results[0], results[2], rtol=1e-6)


def test_options_reach_the_session(exported):
    options = open_session(exported.path.read_bytes(), threads=3, spin=False, optimize=False).get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.use_deterministic_compute
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def test_unknown_provider_lists_those_available(exported):
    with pytest.raises(ProviderError, match=r"MarsExecutionProvider was asked for.*CPUExecutionProvider"):
        open_session(exported.path, "MarsExecutionProvider")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device, so CUDA may well start")
def test_cuda_without_a_device_is_refused(exported, capfd):
    # Without CUDA's libraries it is not loaded; with them it finds no device.
    with pytest.raises(ProviderError, match=r"CUDAExecutionProvider (was asked for|did not start)"):
        open_session(exported.path, ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert capfd.readouterr() == ("", "")


def test_provider_that_is_listed_but_does_not_start(exported, monkeypatch):
    """As with missing CUDA libraries: the name is offered, the session silently has the CPU only."""
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    real = session_module.CheckedSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(
        session_module, "CheckedSession", lambda model, options, **_: real(model, options, ["CPUExecutionProvider"])
    )
    with pytest.raises(ProviderError, match=r"CUDAExecutionProvider was asked for, but .*start.*allow_fallback"):
        open_session(exported.path, "CUDAExecutionProvider")
    with pytest.warns(ProviderFallbackWarning, match="Continuing without"):
        opened = open_session(exported.path, "CUDAExecutionProvider", allow_fallback=True)
    assert opened.get_providers() == ["CPUExecutionProvider"]


def test_fallback_is_an_explicit_argument(exported):
    with pytest.warns(ProviderFallbackWarning, match="MarsExecutionProvider"):
        opened = open_session(exported.path, ["MarsExecutionProvider"], allow_fallback=True)
    assert opened.get_providers() == ["CPUExecutionProvider"]


def test_two_wheels_at_once_are_reported(exported, monkeypatch):
    wheels = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}
    monkeypatch.setattr(providers_module, "runtime_distributions", lambda: wheels)
    with pytest.raises(ProviderError, match="pip uninstall -y onnxruntime onnxruntime-gpu"):
        open_session(exported.path, "CUDAExecutionProvider")
    assert open_session(exported.path).get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("keep", [0, 1, 100, 3000, -1])
def test_truncated_file(copy_of, keep):
    path = copy_of()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(OnnxFileError, match="does not load in ONNX Runtime"):
        open_session(path)


def test_not_onnx_and_missing(tmp_path):
    (tmp_path / "x.onnx").write_text("hello")
    with pytest.raises(OnnxFileError, match="not an ONNX file"):
        open_session(tmp_path / "x.onnx")
    with pytest.raises(OnnxFileError, match="There is no file"):
        open_session(tmp_path / "none.onnx")


CPU, CUDA, OPENVINO = "CPUExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider"


@pytest.mark.parametrize(
    ("given", "tf32", "expected"),
    [
        (CPU, False, [(CPU, {})]),
        ([CUDA, CPU], False, [(CUDA, {"use_tf32": "0"}), (CPU, {})]),
        (CUDA, True, [(CUDA, {"use_tf32": "1"})]),
        ([(CUDA, {"device_id": 1})], False, [(CUDA, {"use_tf32": "0", "device_id": "1"})]),
        ([(CUDA, {"use_tf32": 1})], False, [(CUDA, {"use_tf32": "1"})]),
        (OPENVINO, False, [(OPENVINO, {"device_type": "CPU", "precision": "FP32"})]),
        ([(OPENVINO, {"device_type": "GPU"})], True, [(OPENVINO, {"device_type": "GPU", "precision": "FP32"})]),
    ],
)
def test_provider_options(given, tf32, expected):
    assert provider_options(given, tf32) == expected


@pytest.mark.parametrize("entry", [(CUDA,), (CUDA, "device_id"), 3])
def test_provider_of_another_form_is_refused(entry):
    with pytest.raises(ProviderError, match=r"is no execution provider.*\(name, options\)"):
        provider_options([entry])


def test_options_reach_onnxruntime(exported, monkeypatch):
    real, seen = onnxruntime.InferenceSession, []  # noqa: TID251

    def create(model, options, providers, **_):
        seen.append(providers)
        return real(model, options, ["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(session_module, "CheckedSession", create)
    with pytest.warns(ProviderFallbackWarning):
        open_session(exported.path, [(CUDA, {"device_id": 0})], tf32=True, allow_fallback=True)
    assert seen == [[(CUDA, {"use_tf32": "1", "device_id": "0"})]]


@pytest.mark.parametrize("kind", ORT_ERRORS, ids=lambda kind: kind.__name__)
def test_failure_to_start_is_the_provider_where_the_cpu_starts(exported, monkeypatch, kind):
    real = session_module.CheckedSession

    def create(model, options, providers, **_):
        if providers[0][0] == CUDA:
            raise kind("[ONNXRuntimeError] : 11 : EP_FAIL : no device")
        return real(model, options, [CPU])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(session_module, "CheckedSession", create)
    with pytest.raises(ProviderError, match="CUDAExecutionProvider did not start: no device"):
        open_session(exported.path, [CUDA, CPU])
    with pytest.raises(OnnxFileError, match="The model does not load"):
        open_session(b"no model", [CUDA, CPU])


def test_onnxruntime_has_its_own_error_tree():
    names = {kind.__name__ for kind in ORT_ERRORS}
    assert {"Fail", "RuntimeException", "EPFail", "InvalidGraph", "InvalidProtobuf", "NoSuchFile"} <= names


def test_run_that_fails_is_one_clear_error(exported):
    session = open_session(exported.path, threads=1)
    with pytest.raises(ExportError, match=r"on CPUExecutionProvider stopped at image \(3, 3, 8, 8\), mask "):
        run_session(session, {"image": IMAGES, "mask": IMAGES})
    (logits,) = run_session(session, {"image": IMAGES})
    assert logits.shape == (3, 4)

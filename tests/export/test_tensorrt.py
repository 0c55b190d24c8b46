"""The target `gpu_tensorrt`: lowered and checked; the engine's key, place and options; builds that appear whole."""

import dataclasses
import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from test_gpu_cuda import tiny
from tiny_model import SIZE
from typer.testing import CliRunner

from export import OnnxFileError, ProviderError, export, open_session, warm
from export.commands import register
from export.runtime import engine as engine_module
from export.runtime import tensorrt_cache as cache_module
from export.runtime.engine import engine_of
from export.runtime.profile import Profile, ProfiledSession, feeds_of
from export.runtime.providers import CPU, CUDA, TENSORRT
from export.runtime.tensorrt_cache import engine_folder, engine_key, open_tensorrt, tensorrt_options
from export.targets import get_target
from zoo.errors import ConfigurationError, OutputError, ShapeError

IMAGES = np.random.default_rng(0).normal(size=(3, *SIZE)).astype(np.float32)


@pytest.fixture(scope="session")
def file(spec, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "_not_starting", lambda providers: "" if providers == (CPU,) else TENSORRT)
        return export(
            tiny(),
            tmp_path_factory.mktemp("tensorrt") / "tiny.onnx",
            target="gpu_tensorrt",
            precision="float16",
            input_spec=spec,
            threads=1,
        )


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a GPU, TensorRT and an empty cache, on which building writes a file and the CPU does the rest."""
    seen = SimpleNamespace(gpu=("NVIDIA Test", "9.0"), tensorrt="10.9.0", opened=[], folder=tmp_path / "cache")
    monkeypatch.setenv("SALU_ZOO_CACHE", str(seen.folder))
    monkeypatch.setattr(cache_module, "_gpu", lambda device: seen.gpu)
    monkeypatch.setattr(cache_module, "tensorrt_version", lambda: seen.tensorrt)

    def opened(file, key, folder, device, threads=None):
        seen.opened.append(folder)
        (folder / "model.engine").write_bytes(b"engine")
        return open_session(file, CPU, threads=1)

    monkeypatch.setattr(cache_module, "_open", opened)
    return seen


def test_it_was_not_run_and_says_so(file):
    assert file.parity.passed
    assert file.parity.not_run == "not run on TensorRT: no such provider or device here; simulated on the CPU"
    assert file.parity.precision == "float16"


def test_engine_of_the_target():
    (trt, options), (cuda, strict), (last, _) = engine_of(get_target("gpu_tensorrt"), "float16").providers
    assert (trt, cuda, last) == (TENSORRT, CUDA, CPU)
    assert options == {"trt_fp16_enable": "1"}
    assert strict == {"use_tf32": "0"}
    assert get_target("gpu_tensorrt").precisions == ("tf32", "float16")


def test_an_engine_is_built_once_with_one_line_before(file, machine):
    lines = []
    first = warm(file.path, profile=Profile(1, 2, 4), on_build=lines.append)
    assert first.built
    assert len(lines) == 1
    assert "tiny.onnx for NVIDIA Test, batches 1 to 4, usually 2; this takes minutes" in lines[0]
    assert first.folder.parent == machine.folder / "tensorrt"
    assert sorted(p.name for p in first.folder.iterdir()) == ["engine.json", "model.engine"]
    assert json.loads((first.folder / "engine.json").read_text())["profile"]["most"] == 4
    again = warm(file.path, profile=Profile(1, 2, 4), on_build=lines.append)
    assert (again.built, again.folder, len(lines)) == (False, first.folder, 1)
    assert len(machine.opened) == 1
    assert json.dumps(again.to_dict())
    assert sorted(p.name for p in first.folder.parent.iterdir()) == sorted([first.folder.name, "timing"])


@pytest.mark.parametrize(
    "change",
    [
        {"file_sha256": "f" * 64},
        {"gpu": "another"},
        {"capability": "8.6"},
        {"tensorrt": "10.8"},
        {"onnxruntime": "1.0"},
        {"precision": "tf32"},
        {"profile": Profile(1, 1, 16)},
        {"profile": Profile(1, 2, 8)},
    ],
    ids=str,
)
def test_everything_an_engine_depends_on_is_in_its_key(file, machine, change):
    key = engine_key(file.path, Profile(), 0)
    assert engine_key(file.path, Profile(), 0).name == key.name
    assert dataclasses.replace(key, **change).name != key.name


def test_key_is_read_from_file_and_machine(file, machine):
    key = engine_key(file.path, Profile(), 0)
    assert key.file_sha256 == file.file_sha256
    assert (key.gpu, key.capability, key.tensorrt, key.precision) == ("NVIDIA Test", "9.0", "10.9.0", "float16")
    assert engine_folder(key).name == key.name


def test_options(file, machine, tmp_path):
    inputs = open_session(file.path, threads=1).get_inputs()
    key = engine_key(file.path, Profile(1, 2, 8), 0)
    assert tensorrt_options(key, tmp_path / "engines" / "x", inputs, 1) == {
        "device_id": "1",
        "trt_fp16_enable": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(tmp_path / "engines" / "x"),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(tmp_path / "engines" / "timing"),
        "trt_profile_min_shapes": "image:1x3x8x8",
        "trt_profile_opt_shapes": "image:2x3x8x8",
        "trt_profile_max_shapes": "image:8x3x8x8",
    }


def test_profile_of_texts(text_exported):
    inputs = open_session(text_exported.path, threads=1).get_inputs()
    options = Profile(1, 2, 4, 16, 32).options(inputs)
    assert options["trt_profile_min_shapes"] == "input_ids:1x1,attention_mask:1x1,token_type_ids:1x1"
    assert options["trt_profile_opt_shapes"] == "input_ids:2x16,attention_mask:2x16,token_type_ids:2x16"
    assert options["trt_profile_max_shapes"] == "input_ids:4x32,attention_mask:4x32,token_type_ids:4x32"
    feeds = feeds_of(inputs, 2, 16)
    assert {name: (v.shape, v.dtype, int(v.max())) for name, v in feeds.items()} == {
        "input_ids": ((2, 16), np.int64, 0),
        "attention_mask": ((2, 16), np.int64, 1),
        "token_type_ids": ((2, 16), np.int64, 0),
    }
    with pytest.raises(ShapeError, match=r"input_ids has tokens size 33; .* built for 1 to 32"):
        Profile(1, 2, 4, 16, 32).check(feeds_of(inputs, 2, 33), inputs)


def test_batches_outside_the_profile_are_refused(file, machine):
    session = open_tensorrt(file.path, profile=Profile(2, 2, 3))
    assert isinstance(session, ProfiledSession)
    assert session.run(None, {"image": IMAGES})[0].shape == (3, 4)
    assert session.get_inputs()[0].name == "image"
    for size in (1, 4):
        with pytest.raises(ShapeError, match=f"image has batch size {size}; .* built for 2 to 3"):
            session.run(None, {"image": np.zeros((size, *SIZE), np.float32)})


def test_a_build_that_fails_leaves_nothing(file, machine, monkeypatch):
    def fail(*_):
        raise ProviderError("no engine")

    monkeypatch.setattr(cache_module, "_open", fail)
    with pytest.raises(ProviderError, match="no engine"):
        warm(file.path, on_build=lambda line: None)
    assert [p.name for p in (machine.folder / "tensorrt").iterdir()] == ["timing"]


def test_two_at_once_do_not_disturb_each_other(file, machine):
    results, barrier = [], threading.Barrier(2)
    found = [threading.Thread(target=lambda: results.append(
        warm(file.path, on_build=lambda line: barrier.wait(30)))) for _ in range(2)]  # fmt: skip
    for thread in found:
        thread.start()
    for thread in found:
        thread.join()
    assert [result.built for result in results] == [True, True]
    assert results[0].folder == results[1].folder
    assert sorted(p.name for p in results[0].folder.iterdir()) == ["engine.json", "model.engine"]
    assert len(list(results[0].folder.parent.iterdir())) == 2


def test_a_cache_that_cannot_be_written(file, machine, monkeypatch, tmp_path):
    (tmp_path / "blocker").write_text("")
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "blocker"))
    with pytest.raises(OutputError, match=r"No TensorRT engine can be kept.*SALU_ZOO_CACHE"):
        warm(file.path, on_build=lambda line: None)


def test_files_for_something_else_are_refused(exported, machine, tmp_path):
    for path in (exported.path, tmp_path / "none.onnx"):
        with pytest.raises(OnnxFileError, match="not for TensorRT"):
            warm(path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu(file):
    with pytest.raises(ProviderError, match=r"on GPU 0; PyTorch .* sees 0 CUDA devices"):
        warm(file.path)


@pytest.mark.parametrize("numbers", [(0, 1, 2), (2, 1, 4), (1, 4, 2), (1, 1, 1, 5, 4)])
def test_profile_out_of_order(numbers):
    with pytest.raises(ConfigurationError, match="in the order least, usual, most"):
        Profile(*numbers)


def test_the_command(file, machine):
    app = typer.Typer()
    register(app)
    arguments = ["warm", str(file.path), "--min", "1", "--opt", "2", "--max", "4"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    assert "Building a TensorRT 10.9.0 engine of tiny.onnx" in first.stderr
    assert "built in" in first.stdout
    again = CliRunner().invoke(app, [*arguments, "--json"])
    result = json.loads(again.stdout)
    assert (result["built"], result["key"]["profile"]["usual"], again.stderr) == (False, 2, "")


@pytest.mark.gpu
def test_it_runs_on_a_gpu(file, monkeypatch, tmp_path):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path))
    result = warm(file.path, profile=Profile(1, 2, 4))
    assert result.built
    assert list(result.folder.glob("*.engine"))
    session = open_tensorrt(file.path, profile=Profile(1, 2, 4))
    found = session.run(None, {"image": IMAGES})[0]
    expected = open_session(file.path, CPU).run(None, {"image": IMAGES})[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-2 * np.abs(expected).max())

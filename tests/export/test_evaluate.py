"""`zoo.evaluate` of an exported file, through the reader that the installed package announces."""

import json

import onnx
import pytest
from tiny_images import CIFAR10_NAMES, Linear, write_cifar10

import zoo
from export import OnnxFileError, export
from export.digest import seal
from zoo.errors import ConfigurationError, ShapeError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cifar10(tmp_path_factory.mktemp("cifar10"))


@pytest.fixture(scope="module")
def model():
    return Linear(labels=CIFAR10_NAMES)


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    return export(model, tmp_path_factory.mktemp("linear") / "linear.onnx", threads=1).path


def test_file_and_module_agree_to_the_sample(model, file, data):
    torch_side, onnx_side = (zoo.evaluate(m, "cifar10", data=data, batch_size=16, device="cpu") for m in (model, file))
    assert (onnx_side.n, onnx_side.correct1, onnx_side.correct5) == (50, torch_side.correct1, torch_side.correct5)
    assert 0 < onnx_side.correct1 < onnx_side.correct5 < 50
    assert onnx_side.loss == pytest.approx(torch_side.loss, abs=1e-6)
    assert (torch_side.runtime["kind"], onnx_side.runtime["kind"]) == ("torch", "onnx")
    assert onnx_side.runtime["providers"] == ["CPUExecutionProvider"]
    assert onnx_side.preprocess == torch_side.preprocess


def test_a_result_says_what_the_file_computes_in(model, file, data, tmp_path):
    half = export(model, tmp_path / "half.onnx", target="gpu_cuda", precision="float16", threads=1).path
    assert zoo.evaluate(file, "cifar10", data=data, device="cpu").precision == "float32"
    assert zoo.evaluate(half, "cifar10", data=data, device="cpu").precision == "float16"


def test_file_with_other_labels_is_refused(file, data, tmp_path):
    content = onnx.load(file)
    labels = next(p for p in content.metadata_props if p.key == "salu_zoo.labels")
    labels.value = json.dumps(CIFAR10_NAMES[::-1])
    seal(content)
    onnx.save(content, tmp_path / "other.onnx")
    with pytest.raises(ConfigurationError, match="truck"):
        zoo.evaluate(tmp_path / "other.onnx", "cifar10", data=data, device="cpu")


def test_truncated_file_is_refused(file, data, tmp_path):
    (tmp_path / "short.onnx").write_bytes(file.read_bytes()[:-100])
    with pytest.raises(OnnxFileError, match=r"short\.onnx does not load"):
        zoo.evaluate(tmp_path / "short.onnx", "cifar10", data=data, device="cpu")


def test_other_size_is_refused(file, data):
    with pytest.raises(ShapeError, match=r"8, 8"):
        zoo.evaluate(file, "cifar10", data=data, img_size=16, device="cpu")

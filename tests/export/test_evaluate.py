"""`zoo.evaluate` of an exported file, through the reader that the installed package announces."""

import json

import onnx
import pytest
import torch
from tiny_images import CIFAR10_NAMES, PREPROCESS, Linear, write_cifar10

import zoo
from export import OnnxFileError, export, load_predictor
from export.digest import seal
from export.inputs.source import read_source
from zoo.errors import ConfigurationError, ShapeError
from zoo.weights.identity import Origin, set_origin, weights_digest
from zoo.weights.tag import PretrainedTag


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


def test_a_file_of_changed_weights_says_so(data, tmp_path):
    """In its metadata and in the results of it, so that no card takes them."""
    model = Linear(labels=CIFAR10_NAMES)
    tag = PretrainedTag("linear", "ten", 10, PREPROCESS, sha256="1" * 64, license="mit")
    set_origin(model, Origin(tag, weights_digest(model)))
    with torch.no_grad():
        model.head.bias[0] += 1e-3
    file = export(model, tmp_path / "changed.onnx", threads=1).path
    stored = load_predictor(file).metadata
    assert (stored.name, stored.tag, stored.source_sha256) == ("Linear", "", "")
    assert (stored.changed_since, stored.license, stored.labels) == ("linear.ten", "mit", CIFAR10_NAMES)
    result = zoo.evaluate(file, "cifar10", data=data, limit=10, device="cpu")
    assert (result.tag, result.changed_since) == (None, "linear.ten")


def test_what_is_exported_is_looked_at_not_remembered():
    model = zoo.create_model("fles_poolformer_cifar.cifar10", pretrained=True)
    same = read_source(model)
    assert (same.full_name, same.changed_since) == ("fles_poolformer_cifar.cifar10", "")
    assert (len(same.source_sha256), len(same.input.labels)) == (64, 10)
    model.reset_classifier(7)
    other = read_source(model)
    assert (other.full_name, other.changed_since) == ("fles_poolformer_cifar", "fles_poolformer_cifar.cifar10")
    assert (other.source_sha256, other.input.labels) == ("", ())

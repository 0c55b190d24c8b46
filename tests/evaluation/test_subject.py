import hashlib
import importlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny_images import CIFAR10_NAMES, PREPROCESS, Linear, write_cifar10
from torch import nn

import zoo.evaluation.runtime as runtime_module
from zoo.cards.card import write_card
from zoo.data import Preprocess
from zoo.errors import ConfigurationError, ShapeError, WeightsNotFoundError
from zoo.evaluation import evaluate
from zoo.evaluation.evaluated_model import EvaluationSetting, default_device, open_subject
from zoo.evaluation.image_evaluation import IMAGES
from zoo.evaluation.runtime import ModulePredictor
from zoo.models import MODELS, build_model
from zoo.weights.tag import PretrainedTag

CPU = torch.device("cpu")


class FileModel:
    """What an entry point of `zoo.predictors` returns."""

    preprocess, labels = PREPROCESS, CIFAR10_NAMES

    def __init__(self, path, *, device, threads):
        self.path, self.device, self.threads, self.model = path, device, threads, Linear().eval()

    def __call__(self, batch):
        with torch.no_grad():
            return self.model(batch)

    def describe(self):
        return {"ran on": self.device, "tag": "tiny.test", "file_sha256": "f" * 64}


@pytest.fixture
def reader(monkeypatch):
    entry = SimpleNamespace(name="onnx", load=lambda: FileModel)
    monkeypatch.setattr(runtime_module, "entry_points", lambda group: [entry] if group == "zoo.predictors" else [])


def test_file_is_read_by_its_suffix(tmp_path, reader):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(b"weights")
    result = evaluate(str(file), "cifar10", data=write_cifar10(tmp_path / "data", 12), device="cpu", batch_size=5)
    module = evaluate(Linear(), "cifar10", data=tmp_path / "data", batch_size=5)
    assert (result.correct1, result.correct5, result.loss) == (module.correct1, module.correct5, module.loss)
    assert (result.model, result.tag, result.sha256) == (str(file), "tiny.test", "f" * 64)
    assert (result.runtime["kind"], result.runtime["ran on"]) == ("onnx", "cpu")
    assert result.command == (
        f"zoo evaluate {file} --dataset cifar10 --data {tmp_path}/data --split test --batch-size 5 --device cpu "
        "--precision float32"
    )


def test_file_that_says_nothing_about_itself_is_hashed(tmp_path, reader, monkeypatch):
    monkeypatch.setattr(FileModel, "describe", lambda self: {})
    (tmp_path / "tiny.onnx").write_bytes(b"weights")
    with open_subject(tmp_path / "tiny.onnx", EvaluationSetting(CPU, threads=3), IMAGES) as subject:
        assert (subject.tag, subject.sha256) == (None, hashlib.sha256(b"weights").hexdigest())
        assert subject.predict.threads == 3


def test_file_on_a_gpu_is_told_which(tmp_path, reader):
    (tmp_path / "tiny.onnx").write_bytes(b"weights")
    with open_subject(tmp_path / "tiny.onnx", EvaluationSetting(torch.device("cuda", 1)), IMAGES) as subject:
        assert subject.predict.device == "cuda:1"
    with (
        pytest.raises(ConfigurationError, match="on mps; a file runs on cpu or cuda"),
        open_subject(tmp_path / "tiny.onnx", EvaluationSetting(torch.device("mps")), IMAGES),
    ):
        pass


def test_default_device(reader, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert default_device(Linear()) == "cpu"
    assert (default_device("tiny.onnx"), default_device("salunet_c18_cifar.cifar10")) == ("cpu", None)


def test_onnx_without_its_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime_module, "entry_points", lambda group: [])
    with (
        pytest.raises(ConfigurationError, match=r"Nothing that reads .*a.onnx is installed.*pip install -e ."),
        open_subject(tmp_path / "a.onnx", EvaluationSetting(CPU), IMAGES),
    ):
        pass


def test_missing_file(tmp_path, reader):
    with (
        pytest.raises(WeightsNotFoundError, match="there is no such file"),
        open_subject(tmp_path / "no.onnx", EvaluationSetting(CPU), IMAGES),
    ):
        pass


def test_precision_of_a_file_is_its_own(tmp_path, reader):
    with (
        pytest.raises(ConfigurationError, match="Asked for precision bfloat16"),
        open_subject(tmp_path / "tiny.onnx", EvaluationSetting(CPU, "bfloat16"), IMAGES),
    ):
        pass


def test_predictor_without_preprocessing(tmp_path):
    with (
        pytest.raises(ConfigurationError, match="has no attribute `preprocess`"),
        open_subject(lambda batch: batch, EvaluationSetting(CPU), IMAGES),
    ):
        pass


@pytest.mark.parametrize(("size", "crop"), [(8, 0.9), (288, 0.95), (320, 0.9)])
def test_test_size_brings_its_own_crop(size, crop):
    model = Linear()
    model.pretrained_cfg |= {"crop_pct": 0.9, "test_input_size": (3, 288, 288), "test_crop_pct": 0.95}
    with open_subject(model, EvaluationSetting(CPU, img_size=size), IMAGES) as subject:
        assert subject.preprocess.input_size == (3, size, size)
        assert subject.preprocess.crop_pct == crop


def test_fixed_input_size():
    model = Linear()
    model.pretrained_cfg["fixed_input_size"] = True
    with open_subject(model, EvaluationSetting(CPU, img_size=8), IMAGES) as subject:
        assert subject.preprocess == PREPROCESS
    with (
        pytest.raises(ShapeError, match=r"Asked for 16 px; Linear takes \(8, 8\)"),
        open_subject(model, EvaluationSetting(CPU, img_size=16), IMAGES),
    ):
        pass


def test_a_module_is_asked_which_images_it_takes():
    with (
        pytest.raises(ShapeError, match="images of 32x32; got 40x40"),
        open_subject(
            build_model("salunet_t_cifar"), EvaluationSetting(CPU, preprocess=PREPROCESS.for_size(40)), IMAGES
        ),
    ):
        pass


def test_a_transformer_at_another_size_is_loaded_once_and_keeps_its_tag(tmp_path, monkeypatch):
    spec = MODELS.get("salunet_t_cifar")
    monkeypatch.setitem(MODELS._items, spec.name, replace(spec, numbers={**spec.numbers, "depth": 1}))
    model = build_model(spec.name, num_classes=2)
    described = PretrainedTag(spec.name, "x", 2, Preprocess.of(model), labels=("cat", "dog"))
    tag = write_card(tmp_path / "card", model.state_dict(), described)
    create, read = importlib.import_module("zoo.weights.create"), []
    original = create.read_weights
    monkeypatch.setattr(create, "read_weights", lambda *a: read.append(a) or original(*a))
    with open_subject(tmp_path / "card", EvaluationSetting(CPU, img_size=40), IMAGES) as subject:
        assert subject.preprocess.input_size == (3, 40, 40)
        assert subject.predict(torch.zeros(1, 3, 40, 40)).shape == (1, 2)
        assert (subject.tag, subject.sha256, subject.labels) == (tag.name, tag.sha256, ("cat", "dog"))
    assert len(read) == 1


def test_a_module_is_not_moved():
    with (
        pytest.raises(ConfigurationError, match=r"Linear is on cpu. Move it: model.to\('cuda:0'\)"),
        open_subject(Linear(), EvaluationSetting(torch.device("cuda", 0)), IMAGES),
    ):
        pass


def test_module_predictor_computes_without_gradients_and_in_its_precision():
    model, batch = Linear().eval(), torch.randn(2, 3, 8, 8)
    exact, rounded = (ModulePredictor(model, CPU, p)(batch) for p in ("float32", "float16"))
    assert (exact.dtype, rounded.dtype, exact.requires_grad) == (torch.float32, torch.float16, False)
    assert torch.equal(exact, nn.functional.linear(batch.flatten(1), model.head.weight, model.head.bias))


def test_tf32_is_off_and_returns():
    before = torch.backends.cudnn.allow_tf32
    with runtime_module._no_tf32(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.enabled
    assert torch.backends.cudnn.allow_tf32 == before

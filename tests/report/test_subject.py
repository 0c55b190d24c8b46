"""What is analysed, by each of its names."""

import json

import pytest
import torch

from zoo.data.preprocess import Preprocess
from zoo.errors import WeightsMismatchError
from zoo.files import sha256_of
from zoo.models import build_model
from zoo.report.analysed_model import open_subject
from zoo.weights.load import save_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What `zoo train` leaves of a small network with GroupNorm and SWALU, on two classes."""
    folder = tmp_path_factory.mktemp("runs") / "swalu"
    folder.mkdir()
    torch.manual_seed(5)
    model = build_model("fles_poolformer_cifar", num_classes=2, act="swalu")
    save_weights(folder / "model.safetensors", model.state_dict(), "float32")
    summary = {
        "recipe_name": "short",
        "recipe": {"model": {"name": "fles_poolformer_cifar", "act": "swalu", "num_classes": 0, "args": {}}},
        "data": {"dataset": "cifar10", "labels": ["a", "b"], "preprocess": Preprocess.of(model).to_dict()},
        "weights": "ema",
        "wall_clock_s": 1.0,
        "environment": {"device": "cpu", "versions": {}},
        "results": {},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "log.jsonl").write_text('{"epoch": 1, "train_loss": 1.0}\n')
    return folder, model


def test_the_folder_of_a_run_is_opened_with_its_own_parts_and_weights(run):
    folder, trained = run
    module, subject = open_subject(str(folder))
    assert (subject.model, subject.act, subject.norm) == ("fles_poolformer_cifar", "swalu", "groupnorm")
    assert (subject.num_classes, subject.dataset) == (2, "cifar10")
    assert subject.sha256 == sha256_of(folder / "model.safetensors")
    for name, tensor in trained.state_dict().items():
        assert torch.equal(module.state_dict()[name], tensor), name


def test_a_fresh_twin_has_the_same_parts_but_those_asked_for(run):
    _, like = open_subject(str(run[0]))
    _, same = open_subject("fresh", like)
    _, other = open_subject("fresh,act=gelu,norm=batchnorm", like)
    assert (same.model, same.act, same.num_classes) == (like.model, "swalu", 2)
    assert (other.act, other.norm, other.num_classes) == ("gelu", "batchnorm", 2)
    assert (same.sha256, same.weights) == (None, "fresh, seed 0")
    assert same.preprocess == like.preprocess


def test_a_run_whose_weights_do_not_fit_is_refused(run, tmp_path):
    for name in ("summary.json", "log.jsonl"):
        (tmp_path / name).write_text((run[0] / name).read_text().replace('"swalu"', '"silu"'))
    save_weights(tmp_path / "model.safetensors", run[1].state_dict(), "float32")
    with pytest.raises(WeightsMismatchError, match="act"):
        open_subject(str(tmp_path))
    save_weights(tmp_path / "model.safetensors", {"other": torch.ones(2)}, "float32")
    with pytest.raises(WeightsMismatchError, match=r"head\.fc\.weight"):
        open_subject(str(tmp_path))


def test_the_largest_value_of_an_image_is_that_of_black_or_white():
    _, subject = open_subject("fresh:salunet_t_cifar")
    preprocess = subject.preprocess
    from PIL import Image

    extremes = [preprocess(Image.new("RGB", (32, 32), (g, g, g))).abs().max().item() for g in (0, 255)]
    assert subject.radius == pytest.approx(max(extremes), rel=1e-5)

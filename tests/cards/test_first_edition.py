"""Weights of the first edition of FleS are refused by every way of loading, with the reason."""

import json
import warnings

import pytest
import tiny_texts
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForSequenceClassification

from zoo.activations import FleS
from zoo.adoption.adopt import adopt
from zoo.cards.card import write_card
from zoo.errors import WeightsMismatchError
from zoo.files import sha256_of
from zoo.models import build_model
from zoo.models.bert import FlesBertConfig, FlesBertForSequenceClassification
from zoo.models.text_models import build_text_model
from zoo.weights.create import create_model
from zoo.weights.load import load_weights, read_weights

from .cases import TEXT_NAME, make_tag

WHY = r"first edition of FleS .*another formula.*Train the model anew"
RENAMED = {
    "trunk_norm": "norm_weight",
    "vertical_bias": "gamma",
    "vertical_norm": "lam",
    "horizontal_bias": "beta",
    "horizontal_norm": "norm_bias",
}


def of_first_edition(state):
    """The state under the names of the first edition, whose shapes are the same."""

    def name(path):
        start, dot, last = path.rpartition(".")
        return start + dot + RENAMED.get(last, last)

    return {name(path): value for path, value in state.items()}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("variant", ["fles", "dg", "pn", "adas"])
def test_a_module_refuses_them(variant, strict):
    gate = FleS(4, variant=variant)
    before = {name: value.clone() for name, value in gate.state_dict().items()}
    for module, state in ((gate, before), (nn.Sequential(nn.Linear(4, 4), gate), {})):
        old = of_first_edition(state or module.state_dict())
        with pytest.raises(WeightsMismatchError, match=WHY):
            module.load_state_dict(old, strict=strict)
    assert all(torch.equal(value, before[name]) for name, value in gate.state_dict().items())
    gate.load_state_dict(before)


def test_a_state_and_a_card_of_images_are_refused(tmp_path):
    model = build_model("fles_poolformer_cifar", num_classes=3)
    old = of_first_edition(model.state_dict())
    with pytest.raises(WeightsMismatchError, match=WHY):
        load_weights(model, old, "a file")
    folder, tag = tmp_path / "fles_poolformer_cifar.old", make_tag(model="fles_poolformer_cifar", tag="old")
    with pytest.raises(WeightsMismatchError, match=WHY):
        write_card(folder, old, tag)
    pinned = write_card(folder, model.state_dict(), tag).sha256
    file, config = folder / "model.safetensors", (folder / "config.json").read_text()
    save_file(of_first_edition(load_file(file)), file)
    (folder / "config.json").write_text(config.replace(pinned, sha256_of(file)))
    with pytest.raises(WeightsMismatchError, match=WHY):
        create_model(folder)
    save_file(old, tmp_path / "old.safetensors")
    with pytest.raises(WeightsMismatchError, match=WHY):
        adopt(tmp_path / "old.safetensors", "fles_poolformer_cifar", "again", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_card_of_texts_is_refused(text_card):
    config = json.loads((text_card / "config.json").read_text())
    config["salu_zoo"]["model_args"]["fles_beta"] = 1.702
    (text_card / "config.json").write_text(json.dumps(config | {"fles_beta": 1.702}))
    with pytest.raises(WeightsMismatchError, match=f"fles_beta.*{WHY}"):
        create_model(TEXT_NAME)
    with pytest.raises(WeightsMismatchError, match=f"fles_beta.*{WHY}"):
        AutoModelForSequenceClassification.from_pretrained(text_card)
    with pytest.raises(WeightsMismatchError, match=f"fles_beta.*{WHY}"):
        build_text_model(tiny_texts.NAME, fles_beta=1.702)


def test_the_weights_alone_are_refused_by_transformers_and_by_adopt(finetuned, tmp_path):
    file = finetuned / "model.safetensors"
    save_file(of_first_edition(load_file(file)), file, {"format": "pt"})
    with warnings.catch_warnings(), pytest.raises(WeightsMismatchError, match=WHY):
        FlesBertForSequenceClassification.from_pretrained(finetuned, config=FlesBertConfig.from_pretrained(finetuned))
    with pytest.raises(WeightsMismatchError, match=WHY):
        adopt(finetuned, tiny_texts.NAME, "again", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_card_with_a_parameter_that_is_no_number_is_refused(value, tmp_path):
    """A negative gamma is legal: its softplus is positive."""
    model = build_model("fles_poolformer_cifar", num_classes=3)
    state = model.state_dict()
    gamma = next(name for name in state if name.endswith("vertical_bias"))
    state[gamma] = torch.full_like(state[gamma], -3.0)
    folder = tmp_path / "fles_poolformer_cifar.odd"
    write_card(folder, state, make_tag(model="fles_poolformer_cifar", tag="odd"))
    loaded = create_model(folder)
    assert (loaded.state_dict()[gamma] == -3).all()
    file = folder / "model.safetensors"
    stored = load_file(file)
    stored[gamma][0] = value
    save_file(stored, file, {"format": "pt"})
    with pytest.raises(WeightsMismatchError, match=f"NaN or infinite values in 1 of .*{gamma}"):
        read_weights(file)

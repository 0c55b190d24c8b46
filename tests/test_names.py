"""One resolver: every kind of name gives the module it stands for, and a record that builds its like."""

import json
from itertools import pairwise

import pytest
import timm
import torch
from safetensors.torch import save_file

import zoo
from zoo.card_folders import card_folder
from zoo.conversion import convert, save_converted
from zoo.conversion.base import build_base, with_classes
from zoo.errors import (
    ConfigurationError,
    UnknownNameError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
)
from zoo.names import is_card, open_model


def same(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def alike(named):
    """The record builds a network of the same form."""
    forms = [
        {name: value.shape for name, value in model.state_dict().items()}
        for model in (named.model, build_base(named.base))
    ]
    return forms[0] == forms[1]


@pytest.fixture(scope="session")
def saved_timm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timm") / "net"
    folder.mkdir()
    torch.manual_seed(0)
    model = timm.create_model("test_vit", num_classes=4)
    save_file(model.state_dict(), folder / "model.safetensors")
    cfg = {"mean": [0.1, 0.2, 0.3], "input_size": [3, 160, 160], "custom_load": True, "url": "http://elsewhere"}
    config = {"architecture": "test_vit", "num_classes": 4, "pretrained_cfg": cfg, "label_names": list("abcd")}
    (folder / "config.json").write_text(json.dumps(config))
    return folder, model


def test_a_card_by_name_and_by_folder():
    name = "fles_poolformer_cifar.cifar10"
    first, second = open_model(name), open_model(card_folder(name))
    assert first.kind == second.kind == "card"
    assert first.tag.name == second.tag.name == name
    assert first.sha256 == first.tag.sha256
    assert same(first.model, second.model)
    assert alike(first)
    assert same(zoo.load_model(name), first.model)
    assert zoo.identity_of(first.model).tag.name == name


def test_a_bare_architecture_has_weights_only_if_they_are_asked_for():
    fresh = open_model("salunet_c34_cifar", pretrained=None)
    assert (fresh.tag, fresh.sha256, fresh.base["name"]) == (None, None, "salunet_c34_cifar")
    with pytest.raises(WeightsNotFoundError, match="No pretrained weights are published"):
        open_model("salunet_c34_cifar")
    bare = open_model("fles_poolformer_cifar.cifar10", pretrained=False)
    assert (bare.tag, bare.sha256) == (None, None)


def test_a_size_counts_where_positions_are_fixed():
    small, large = (open_model("salunet_t_cifar", pretrained=False, img_size=size).model for size in (None, 64))
    assert large.pos_embed.shape[1] > small.pos_embed.shape[1]
    assert open_model("salunet_c34_cifar", pretrained=False, img_size=64).model(torch.zeros(1, 3, 64, 64)).shape[0] == 1


def test_a_folder_that_timm_saved_brings_description_and_classes_and_no_places(saved_timm):
    folder, model = saved_timm
    named = open_model(folder)
    assert named.kind == "timm"
    assert same(named.model, model)
    assert alike(named)
    assert zoo.labels_of(named.model) == tuple("abcd")
    cfg = named.model.pretrained_cfg
    assert (cfg["mean"], cfg.get("url"), cfg.get("custom_load")) == ((0.1, 0.2, 0.3), "", False)


def test_a_name_of_timm_with_weights_from_a_file(saved_timm):
    folder, _ = saved_timm
    torch.manual_seed(1)
    save_file(timm.create_model("test_resnet").state_dict(), folder.parent / "resnet.safetensors")
    for name in ("test_resnet", "timm/test_resnet", "test_resnet.r160_in1k"):
        named = open_model(name, weights=folder.parent / "resnet.safetensors")
        assert named.kind == "timm"
        assert alike(named)
        assert zoo.labels_of(named.model)[0].startswith("tench"), "timm keeps ImageNet's names elsewhere"


def test_a_converted_folder_keeps_preprocessing_and_classes(saved_timm, tmp_path):
    named = open_model(saved_timm[0])
    model, report = convert(named.model, "fles")
    save_converted(tmp_path / "fles", model, report, named.base)
    again = open_model(tmp_path / "fles")
    assert again.kind == "converted"
    assert same(again.model, model)
    assert alike(again)
    assert zoo.labels_of(again.model) == tuple("abcd")
    assert zoo.Preprocess.of(again.model).mean == (0.1, 0.2, 0.3)
    twice, more = convert(again.model, "gelu", of=["fles"], example=torch.randn(1, 3, 160, 160))
    save_converted(tmp_path / "gelu", twice, more, again.base)
    assert same(open_model(tmp_path / "gelu").model, twice)


def test_another_number_of_classes_for_any_record(saved_timm):
    base = open_model(saved_timm[0]).base
    for record in (base, {"kind": "zoo", "name": "fles_poolformer_cifar", "arguments": {}}):
        shapes = [next(reversed(build_base(with_classes(record, n)).state_dict().values())).shape[0] for n in (2, 3)]
        assert all(b - a == 1 for a, b in pairwise(shapes))
    with pytest.raises(ConfigurationError, match="transformers"):
        with_classes({"kind": "transformers", "class": "BertModel", "config": {}}, 2)


def test_names_of_nothing(tmp_path, saved_timm):
    with pytest.raises(UnknownNameError, match=r"'salunet_c81_cifar'.*salunet_c18_cifar"):
        open_model("salunet_c81_cifar")
    with pytest.raises(UnknownNameError, match="no_such_net"):
        open_model("timm/no_such_net")
    with pytest.raises(WeightsNotFoundError, match="no file or folder"):
        open_model(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsNotFoundError, match=r"no config\.json"):
        open_model(tmp_path / "empty")
    with pytest.raises(ConfigurationError, match="brings its own"):
        open_model("fles_poolformer_cifar.cifar10", weights=saved_timm[0] / "model.safetensors")
    assert is_card("salunet_c34_cifar")
    assert not is_card(saved_timm[0])


def test_weights_that_do_not_fit_or_cannot_be_read(saved_timm, tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "config.json").write_bytes((saved_timm[0] / "config.json").read_bytes())
    save_file({"other": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(WeightsMismatchError, match="does not fit"):
        open_model(folder)
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(WeightsCorruptError):
        open_model(folder)

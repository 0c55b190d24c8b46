"""create_model: from each form of a name to a model, and what may differ from the stored weights."""

import json

import pytest
import torch
from huggingface_hub import constants

import zoo
from zoo.data.labels import labels_of
from zoo.data.preprocess import Preprocess
from zoo.errors import (
    ConfigurationError,
    UnknownNameError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
)
from zoo.weights.create import create_model
from zoo.weights.identity import Identity, identity_of

from .cases import COMMIT, LABELS, MODEL, NAME, put_in_cache


def holds(model, state) -> bool:
    own = model.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[name], state[name]) for name in state)


def test_a_bare_name_builds_fresh_weights(card, state):
    model = create_model(MODEL)
    assert identity_of(model) == Identity()
    assert model.head.out_features == 10
    assert not holds(create_model(MODEL, num_classes=3), state)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_float32_whatever_the_default_is(card, state, dtype):
    images = torch.randn(2, 3, 32, 32, dtype=torch.float32)
    expected = create_model(NAME).eval()(images)
    torch.set_default_dtype(dtype)
    try:
        model, bare = create_model(NAME), create_model(MODEL)
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)
    assert holds(model, state)
    assert torch.equal(model.eval()(images), expected)
    assert {value.dtype for value in bare.state_dict().values()} == {torch.float32}
    assert {value.dtype for value in create_model(MODEL, dtype=dtype).parameters()} == {dtype}


def test_the_default_device_is_where_it_is_built(card):
    with torch.device("meta"):
        assert {value.device.type for value in create_model(MODEL).parameters()} == {"meta"}
        with pytest.raises(WeightsMismatchError, match="the model is on the meta device, which holds no values"):
            create_model(NAME)


@pytest.mark.parametrize("pretrained", [None, True])
def test_a_tag_loads_its_weights(card, state, pretrained, no_network):
    model = create_model(NAME, pretrained)
    assert holds(model, state)
    assert identity_of(model).tag.name == NAME
    assert model.pretrained_cfg["label_names"] == labels_of(model) == LABELS
    assert Preprocess.of(model) == identity_of(model).tag.preprocess
    assert no_network == []


def test_every_form_of_the_name_gives_the_same_weights(card, state, hub_cache, monkeypatch, no_network):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    put_in_cache(hub_cache, "org/repo", COMMIT, card, branch="main")
    for name in (card, str(card), card / "model.safetensors", "hf-hub:org/repo", f"hf-hub:org/repo@{COMMIT}"):
        assert holds(create_model(name), state), name
    assert holds(create_model(MODEL, pretrained=True), state)
    assert zoo.create_model is create_model


def test_pretrained_false_builds_the_architecture_of_the_tag(card, state):
    (card / "model.safetensors").unlink()
    model = create_model(NAME, pretrained=False)
    assert model.head.out_features == 3
    assert identity_of(model) == Identity()
    assert not holds(model, state)


def test_other_classes_start_a_fresh_classifier_only(card, state):
    model = create_model(NAME, num_classes=7)
    assert model.head.weight.shape == (7, 8)
    rest = {name: value for name, value in state.items() if not name.startswith("head.")}
    assert all(torch.equal(model.state_dict()[name], value) for name, value in rest.items())
    assert model.pretrained_cfg["label_names"] == ()
    assert model.pretrained_cfg["num_classes"] == 7
    assert (identity_of(model).changed_since, labels_of(model)) == (NAME, ())
    assert create_model(NAME, num_classes=0)(torch.zeros(1, 3, 32, 32)).shape == (1, 8)
    same = create_model(NAME, num_classes=3)
    assert holds(same, state)
    assert identity_of(same).tag.name == NAME


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_adapt_the_first_convolution(card, channels):
    model = create_model(NAME, in_chans=channels)
    three = create_model(NAME)
    grey = torch.rand(2, 1, 32, 32)
    assert Preprocess.of(model).input_size == (channels, 32, 32)
    if channels == 1:  # summed kernels: a grey image gives what its three equal channels gave
        three_channels = grey.expand(-1, 3, -1, -1)
        kernels = three.patch_embed.proj.weight.sum(dim=1, keepdim=True)
        torch.testing.assert_close(model.patch_embed.proj.weight, kernels)
        torch.testing.assert_close(model(grey), three(three_channels), rtol=1e-5, atol=1e-5)
    else:
        assert model(grey.expand(-1, 4, -1, -1)).shape == (2, 3)


def test_another_size_resamples_the_positions(card):
    model = create_model(NAME, img_size=48)
    assert model.pos_embed.shape == (1, 1 + 12 * 12, 8)
    assert Preprocess.of(model).input_size == (3, 48, 48)
    assert torch.isfinite(model(torch.zeros(1, 3, 48, 48))).all()


def test_features_come_with_the_weights(card, state):
    pyramid = create_model(NAME, features_only=True, out_indices=(0,))
    inner = {name.removeprefix("model."): value for name, value in pyramid.state_dict().items()}
    assert inner.keys() < state.keys()
    assert all(torch.equal(value, state[name]) for name, value in inner.items())


def test_an_argument_the_weights_contradict_is_an_error(card):
    with pytest.raises(WeightsMismatchError, match=r"norm\.a: file has \(1,\), model has nothing"):
        create_model(NAME, norm="layernorm")


def test_errors_begin_with_what_was_asked(card):
    for name, pretrained, error in (
        ("salunet_c50", True, WeightsNotFoundError),
        ("salunet_c5O", None, UnknownNameError),
        (f"{MODEL}.pest", True, UnknownNameError),
    ):
        with pytest.raises(error) as caught:
            create_model(name, pretrained)
        assert str(caught.value).startswith(f"create_model({name!r}, pretrained={pretrained}): ")


def test_a_wrong_hash_corrupt_file_or_lost_file(card):
    weights = card / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsMismatchError, match="not the file its card pins"):
        create_model(NAME)
    weights.write_bytes(whole[:-1])
    with pytest.raises(WeightsCorruptError, match="truncated"):
        create_model(NAME)
    weights.unlink()
    with pytest.raises(WeightsNotFoundError, match="not on the Hub yet"):
        create_model(card)


@pytest.mark.parametrize("name", ["./nothing", "nothing.safetensors"])
def test_a_path_that_is_not_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsNotFoundError, match="no file or folder nothing"):
        create_model(name)


def test_a_foreign_checkpoint_names_the_importer(tmp_path):
    torch.save({}, tmp_path / "w.pth")
    with pytest.raises(WeightsCorruptError, match=r"zoo adopt .*w\.pth"):
        create_model(tmp_path / "w.pth")


def test_a_file_without_its_config(card):
    (card / "config.json").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"has no config\.json"):
        create_model(card / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "os_system"}, UnknownNameError),
        ({"model_args": {"block": "print"}}, WeightsMismatchError),
        ({"model_args": {"norm": "print"}}, UnknownNameError),
        ({"file": "../../secrets.safetensors"}, WeightsMismatchError),
        ({"architectures": ["Custom"], "auto_map": {}}, WeightsMismatchError),
    ],
)
def test_a_hub_repository_is_not_trusted(card, hub_cache, monkeypatch, change, error):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    config = json.loads((card / "config.json").read_text())
    (card / "config.json").write_text(json.dumps(config | {"salu_zoo": config["salu_zoo"] | change}))
    put_in_cache(hub_cache, "org/evil", COMMIT, card, branch="main")
    with pytest.raises(error, match="hf-hub:org/evil"):
        create_model("hf-hub:org/evil", pretrained=True)


def test_impossible_channels_are_explained(card):
    with pytest.raises((ConfigurationError, zoo.ZooError), match="in_chans"):
        create_model(NAME, in_chans=0)


@pytest.mark.parametrize("change", [{"num_classes": 3}, {"num_classes": 5}, {"features_only": True}])
def test_a_convolutional_net_does_the_same(cards, change):
    from zoo.cards.card import write_card
    from zoo.models import build_model
    from zoo.weights.tag import PretrainedTag

    source = build_model("salunet_c18_cifar", num_classes=3)
    tag = PretrainedTag("salunet_c18_cifar", "pets", 3, Preprocess.of(source))
    write_card(cards / tag.name, source.state_dict(), tag)
    model = create_model(tag.name, **change)
    assert model.layer4[1].conv2.weight.dtype == torch.float32
    torch.testing.assert_close(model.layer4[1].conv2.weight, source.layer4[1].conv2.weight, rtol=1e-3, atol=1e-6)

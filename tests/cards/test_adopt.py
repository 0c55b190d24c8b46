"""zoo adopt, as a function: foreign files in, whole cards or nothing out."""

import argparse
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from zoo.adoption.adopt import adopt
from zoo.cards.readme import check_card
from zoo.data.preprocess import Preprocess
from zoo.errors import (
    ConfigurationError,
    OutputError,
    UnknownNameError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
    ZooError,
)
from zoo.models import build_model
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of
from zoo.weights.locate import resolve

from .cases import LABELS, MODEL, NAME


@pytest.fixture
def checkpoint(tmp_path, state):
    """What a training script saves: wrapped, prefixed, with settings and figures beside the weights."""
    content = {
        "epoch": 300,
        "args": argparse.Namespace(lr=0.3),
        "best_acc": np.float64(97.2),
        "state_dict": {f"module.{name}": torch.zeros_like(value) for name, value in state.items()},
        "state_dict_ema": {f"module.{name}": value for name, value in state.items()},
    }
    torch.save(content, tmp_path / "best.pth")
    return tmp_path / "best.pth"


def test_a_checkpoint_becomes_a_card(checkpoint, cards, state):
    done = adopt(checkpoint, MODEL, "pets", labels=LABELS, dataset="pet photos", license="mit", source="a friend")
    assert done.folder == cards / NAME
    assert done.wrapper == "state_dict_ema"
    assert done.renamed["module.head.bias"] == "head.bias"
    assert [line.split(":")[0] for line in done.ignored] == ["epoch", "args", "best_acc", "state_dict"]
    model = create_model(NAME, pretrained=True)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert (identity_of(model).tag.dataset, identity_of(model).tag.source) == ("pet photos", "a friend")
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "README.md", "config.json", "geometry.png", "model.safetensors", "results.json"
    ]  # fmt: skip
    check_card(done.folder)


def test_plain_weights_on_request(checkpoint):
    done = adopt(checkpoint, MODEL, "pets", ema=False)
    assert done.wrapper == "state_dict"
    assert all(not value.any() for value in create_model(done.folder).state_dict().values())


def test_safetensors_and_an_own_folder(tmp_path, state):
    save_file(state, tmp_path / "w.safetensors")
    done = adopt(tmp_path / "w.safetensors", MODEL, "pets", output=tmp_path / "out" / "card", dtype="float32")
    assert done.folder == tmp_path / "out" / "card"
    assert done.tag.num_classes == 3
    assert done.renamed == {}
    assert identity_of(create_model(done.folder)).tag == done.tag


def test_another_number_of_channels_and_other_arguments(tmp_path):
    pixels = Preprocess((1, 48, 48), "bilinear", 1.0, "center", (0.5,), (0.25,))
    model = build_model(MODEL, num_classes=4, in_chans=1, img_size=48, norm="layernorm", act="gelu")
    torch.save(model.state_dict(), tmp_path / "w.pt")
    arguments = {"norm": "layernorm", "act": "gelu", "img_size": 48}
    done = adopt(tmp_path / "w.pt", MODEL, "grey", model_args=arguments, preprocess=pixels)
    again = create_model(f"{MODEL}.grey", pretrained=True)
    assert again(torch.zeros(1, 1, 48, 48)).shape == (1, 4)
    assert Preprocess.of(again) == pixels
    assert done.tag.model_args == arguments


def test_authors_style_of_a_whole_network(tmp_path):
    ours = build_model("salunet_c18_cifar", num_classes=10).state_dict()
    rules = {".bn": ".salu", ".act": ".swalu", "downsample": "shortcut", "fc.": "linear.", "layer": "L"}
    foreign = {}
    for name, value in ours.items():
        for ourword, theirs in rules.items():
            name = name.replace(ourword, theirs)
        name = name.replace("bn1.", "salu1.").replace("act1.", "swalu1.")
        foreign[name] = value.reshape(1) if value.ndim == 0 else value
    assert "L4.1.salu1.a" in foreign
    torch.save({"net": foreign}, tmp_path / "ckpt.t7")
    done = adopt(tmp_path / "ckpt.t7", "salunet_c18_cifar", "cifar10", dtype="float32")
    stored = create_model(done.folder).state_dict()
    assert all(torch.equal(stored[name], value) for name, value in ours.items())


def test_names_that_do_not_fit_are_all_listed_and_nothing_is_written(tmp_path, state, cards):
    state["extra.weight"] = torch.zeros(2)
    state["norm.a"] = torch.zeros(4)
    del state["blocks.0.norm1.a"]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatchError) as caught:
        adopt(tmp_path / "w.pth", MODEL, "pets")
    for line in (
        "blocks.0.norm1.a: file has nothing, model needs (1,)",
        "norm.a: file has (4,), model needs (1,)",
        "extra.weight: file has (2,), model has nothing of that name",
        "Nothing was written",
        "--rename",
    ):
        assert line in str(caught.value)
    assert not cards.exists()


def test_the_wrong_model_is_refused(checkpoint, cards):
    with pytest.raises(WeightsMismatchError, match=r"blocks\.6\.norm1\.a: file has nothing"):
        adopt(checkpoint, "salunet_t_cifar", "pets")
    with pytest.raises(WeightsMismatchError, match=r"no classifier that maps to fc\.weight|do not fit"):
        adopt(checkpoint, "salunet_c18", "pets")
    with pytest.raises(UnknownNameError, match="Nearest: tiny_t"):
        adopt(checkpoint, "tiny_tt", "pets")
    assert not cards.exists()


def test_nan_is_refused(tmp_path, state, cards):
    state["head.weight"][0, 0] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatchError, match=r"NaN or infinite values in 1 of .*head\.weight"):
        adopt(tmp_path / "w.pth", MODEL, "pets")
    assert not cards.exists()


class Evil:
    """Unpickled by an ordinary reader, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_checkpoint_is_not_run(tmp_path, state):
    torch.save({"state_dict": state, "hook": Evil(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsCorruptError, match="without running code"):
        adopt(tmp_path / "evil.pth", MODEL, "pets")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "pickle"])
def test_damaged_files(checkpoint, damage, cards):
    whole = checkpoint.read_bytes()
    other = {"truncated": whole[: len(whole) // 2], "garbage": b"not a checkpoint" * 9, "empty": b""}
    checkpoint.write_bytes(other.get(damage, pickle.dumps(["no", "weights"])))
    with pytest.raises((WeightsCorruptError, WeightsMismatchError), match=r"best\.pth|No state dict"):
        adopt(checkpoint, MODEL, "pets")
    assert not cards.exists()


def test_arguments_that_contradict_each_other(checkpoint, tmp_path):
    with pytest.raises(WeightsNotFoundError, match=r"gone\.pth"):
        adopt(tmp_path / "gone.pth", MODEL, "pets")
    with pytest.raises(ConfigurationError, match="drop_rate"):
        adopt(checkpoint, MODEL, "pets", model_args={"drop_rate": 0.1})
    with pytest.raises(WeightsMismatchError, match=r"head\.weight: file has \(3, 8\), model needs \(2, 8\)"):
        adopt(checkpoint, MODEL, "pets", labels=("cat", "dog"))
    with pytest.raises(WeightsMismatchError, match="labels has 2 entries for 3"):
        adopt(checkpoint, MODEL, "pets", labels=("cat", "dog"), num_classes=3)
    with pytest.raises(WeightsMismatchError, match="tag is 'a/b'"):
        adopt(checkpoint, MODEL, "a/b", output=tmp_path / "x")


def test_a_card_that_exists_is_kept_unless_forced(checkpoint, cards):
    first = adopt(checkpoint, MODEL, "pets")
    with pytest.raises(OutputError, match="--force"):
        adopt(checkpoint, MODEL, "pets", ema=False)
    assert identity_of(create_model(first.folder)).tag == first.tag
    second = adopt(checkpoint, MODEL, "pets", ema=False, force=True)
    assert second.tag.sha256 != first.tag.sha256
    assert [path.name for path in cards.iterdir()] == [NAME]


def mark_default(folder):
    config = folder / "config.json"
    values = json.loads(config.read_text("utf-8"))
    values["salu_zoo"]["default"] = True
    config.write_text(json.dumps(values), encoding="utf-8")


def test_weights_that_replace_the_default_are_the_default(checkpoint, cards):
    first = adopt(checkpoint, MODEL, "pets")
    assert first.tag.default is False
    mark_default(first.folder)
    assert adopt(checkpoint, MODEL, "pets", force=True).tag.default is True
    adopt(checkpoint, MODEL, "others")
    assert resolve(MODEL).name == NAME


def test_weights_in_the_place_of_another_card_or_a_damaged_one_are_no_default(checkpoint, cards):
    folder = adopt(checkpoint, MODEL, "pets").folder
    mark_default(folder)
    assert adopt(checkpoint, MODEL, "others", output=folder, force=True).tag.default is False
    (folder / "config.json").write_text("{", encoding="utf-8")
    assert adopt(checkpoint, MODEL, "others", output=folder, force=True).tag.default is False


def test_a_folder_of_something_else_is_never_replaced(checkpoint, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no card's folder"):
        adopt(checkpoint, MODEL, "pets", output=tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


def test_a_place_that_cannot_be_written(checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        adopt(checkpoint, MODEL, "pets", output=tmp_path / "file" / "card")


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        adopt(tmp_path / "missing.pth", MODEL, "pets", output=tmp_path / "file" / "card")


def test_a_failure_while_writing_leaves_nothing(checkpoint, cards, monkeypatch):
    import importlib

    def fail(*arguments):
        raise ZooError("rendering failed")

    monkeypatch.setattr(importlib.import_module("zoo.cards.card"), "render_tag", fail)
    with pytest.raises(ZooError, match="rendering failed"):
        adopt(checkpoint, MODEL, "pets")
    assert list(cards.iterdir()) == []


def test_the_config_is_what_was_said(checkpoint):
    done = adopt(checkpoint, MODEL, "pets", num_classes=3)
    config = json.loads((done.folder / "config.json").read_text())["salu_zoo"]
    assert config["repo"] is config["revision"] is config["recipe"] is None
    assert config["labels"] == []
    assert config["license"] == "unknown"

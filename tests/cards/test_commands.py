"""`zoo list` and `zoo adopt` on the command line: JSON for scripts, words for people, one error for bad input."""

import json

import pytest
import torch

from zoo.files import write_tensors
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of

from .cases import LABELS, MODEL, NAME


@pytest.fixture
def checkpoint(tmp_path, state):
    torch.save({"state_dict": {f"net.{name}": value for name, value in state.items()}, "epoch": 9}, tmp_path / "w.pth")
    return tmp_path / "w.pth"


def test_list_as_json(run_zoo, card):
    code, out, _ = run_zoo("list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert list(listed) == ["models", "weights", "activations", "datasets", "tasks", "recipes"]
    assert MODEL in [row["name"] for row in listed["models"]]
    assert [(row["name"], row["num_classes"], row["where"]) for row in listed["weights"]] == [(NAME, 3, "checkout")]
    assert {"salu", "swalu", "galu"} <= {row["name"] for row in listed["activations"]}
    assert "cifar10" in [row["name"] for row in listed["datasets"]]
    assert json.loads(run_zoo("list", "weights", "--json")[1]) == listed["weights"]


def test_list_for_people(run_zoo, card):
    code, out, _ = run_zoo("list")
    assert code == 0
    for part in (
        "Models",
        "salunet_c18_cifar",
        "Weights",
        NAME,
        "checkout",
        "Activations",
        "Datasets",
        "uoft-cs/cifar10",
    ):
        assert part in out
    code, out, _ = run_zoo("list", "weights")
    assert NAME in out
    assert "Models" not in out


def test_list_of_names_that_match(run_zoo, card):
    listed = json.loads(run_zoo("list", "tiny_t*", "--json")[1])
    assert [row["name"] for row in listed.pop("models")] == [MODEL]
    assert [row["name"] for row in listed.pop("weights")] == [NAME]
    assert not any(listed.values())
    assert [row["name"] for row in json.loads(run_zoo("list", "recipes", "c18_cifar10?", "--json")[1])] == [
        "c18_cifar100"
    ]
    code, _, err = run_zoo("list", "tiny_x*")
    assert code == 2
    assert "tiny_t" in err


def test_list_without_weights(run_zoo):
    code, out, _ = run_zoo("list", "weights", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert "zoo adopt FILE --model MODEL --tag TAG" in " ".join(run_zoo("list", "weights")[1].split())


def test_weights_of_a_training_run_become_a_card(run_zoo, state, tmp_path, cards):
    write_tensors(tmp_path / "model.safetensors", state, {"format": "pt"})
    code, _, _ = run_zoo("adopt", tmp_path / "model.safetensors", "--model", MODEL, "--tag", "pets")
    assert (code, (cards / NAME / "config.json").is_file()) == (0, True)


def test_list_of_an_unknown_kind_is_wrong_usage(run_zoo):
    code, _, err = run_zoo("list", "planets")
    assert code == 2
    assert "planets" in err


def test_adopt_with_all_its_files(run_zoo, checkpoint, tmp_path):
    (tmp_path / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (tmp_path / "names.json").write_text(json.dumps({"^unused": None}))
    code, out, _ = run_zoo(
        "adopt", checkpoint, "--model", MODEL, "--tag", "pets", "--labels", tmp_path / "labels.txt",
        "--rename", tmp_path / "names.json", "--output", tmp_path / "card", "--license", "mit", "--json",
    )  # fmt: skip
    done = json.loads(out)
    assert code == 0
    assert done["wrapper"] == "state_dict"
    assert done["ignored"] == ["epoch: beside the weights"]
    assert done["config"]["labels"] == list(LABELS)
    assert identity_of(create_model(done["folder"])).tag.license == "mit"


def test_adopt_for_people(run_zoo, checkpoint, cards):
    code, out, err = run_zoo("adopt", checkpoint, "--model", MODEL, "--tag", "pets")
    assert code == 0
    assert "zoo.create_model(" in out
    assert "epoch: beside the weights" in err


@pytest.mark.parametrize("option", ["--labels", "--rename", "--preprocess"])
@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[1, 2]"])
def test_bad_files_beside_a_checkpoint(run_zoo, checkpoint, tmp_path, cards, option, content):
    if content is not None:
        (tmp_path / "side.json").write_bytes(content)
    code, out, err = run_zoo("adopt", checkpoint, "--model", MODEL, "--tag", "pets", option, tmp_path / "side.json")
    assert code == 1
    assert "side.json" in err
    assert "Traceback" not in err
    assert (out, cards.exists()) == ("", False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--model", "tiny_x", "--tag", "pets"), "Nearest: tiny_t"),
        (("--model", MODEL, "--tag", "pets", "--num-classes", "5"), "head.weight: file has (3, 8), model needs (5, 8)"),
        (("--model", MODEL, "--tag", "pets", "--norm", "layernorm"), "norm.a"),
        (("--model", MODEL, "--tag", "pets", "--ema"), "--no-ema"),
    ],
)
def test_adopt_fails_with_one_error_and_writes_nothing(run_zoo, checkpoint, cards, arguments, named):
    code, out, err = run_zoo("adopt", checkpoint, *arguments)
    assert code == 1
    assert named in err
    assert "Traceback" not in err
    assert (out, cards.exists()) == ("", False)

"""`zoo info`: true facts about every kind of name, and near names for a wrong one."""

import json
from functools import partial
from pathlib import Path

import pytest

from zoo.activations import list_activations
from zoo.models import build_model

NAME = "salunet_c18_cifar"


@pytest.fixture
def info(run_zoo):
    return partial(run_zoo, "info")


def test_a_model(info):
    code, out, _ = info(NAME, "--json")
    found = json.loads(out)
    model = build_model(NAME, device="meta")
    assert (code, found["kind"], found["input_size"]) == (0, "model", [3, 32, 32])
    assert found["parameters"] == sum(p.numel() for p in model.parameters())
    assert found["multiply_adds"] == pytest.approx(0.56e9, rel=0.01)
    assert (found["norms"], found["activations"]) == ({"salu": 20}, {"swalu": 17})
    assert [stage["channels"] for stage in found["stages"]] == [64, 64, 128, 256, 512]
    assert f"{NAME}.cifar10" in [row["name"] for row in found["weights"]]
    assert found["next"][0] == f"zoo info {found['weights'][0]['name']}"


def test_weights_by_name_and_by_folder(info, repository: Path):
    folder = repository / "model_cards" / f"{NAME}.cifar10"
    found = json.loads(info(f"{NAME}.cifar10", "--json")[1])
    stored = json.loads((folder / "results.json").read_text())
    config = json.loads((folder / "config.json").read_text())["salu_zoo"]
    assert [row["top1"] for row in found["results"]] == [row["top1"] for row in stored["evaluations"]]
    assert [row["label"] for row in found["comparisons"]] == [row["label"] for row in stored["comparisons"]]
    assert found["file"]["size_bytes"] == (folder / "model.safetensors").stat().st_size
    assert (found["file"]["sha256"], found["license"]) == (config["sha256"], config["license"])
    by_path = json.loads(info(folder, "--json")[1])
    assert {key: by_path[key] for key in by_path if key != "next"} == {k: found[k] for k in found if k != "next"}


def test_a_text_model_counts_its_parts(info):
    found = json.loads(info("fles_minilm_l6", "--json")[1])
    assert (found["norms"], found["activations"], found["multiply_adds"]) == ({"LayerNorm": 13}, {"fles": 6}, None)


@pytest.mark.parametrize(
    ("name", "kind", "fact"),
    [
        ("salu", "activation", "formula"),
        ("cifar10", "dataset", "hub_id"),
        ("sst2", "task", "metrics"),
        ("c18_cifar10_short", "recipe", "command"),
        ("edge_cpu", "target", "precisions"),
    ],
)
def test_every_other_kind_of_name(info, name, kind, fact):
    code, out, _ = info(name, "--json")
    assert (code, json.loads(out)["kind"], bool(json.loads(out)[fact])) == (0, kind, True)


@pytest.mark.parametrize("name", [f"{NAME}.cifar10", NAME, "fles_minilm_l6.sst2", *list_activations()[:1]])
def test_for_people(info, name, monkeypatch):
    code, out, _ = info(name)
    assert code == 0
    assert name in out
    assert "None" not in out


@pytest.mark.parametrize(
    ("name", "near"),
    [("salunet_c18_cifr", NAME), (f"{NAME}.cifar11", f"{NAME}.cifar10"), ("edgecpu", "edge_cpu"), ("SALU", "salu")],
)
def test_a_wrong_name_offers_the_nearest(info, name, near):
    code, out, err = info(name)
    assert (code, out) == (1, "")
    assert near in err
    assert "Traceback" not in err

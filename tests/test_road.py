"""The road of a new user: a folder of photos becomes a model, figures, a proven file, and a folder that runs it."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

COLOURS = {"blue": (30, 40, 220), "green": (20, 200, 40), "red": (220, 30, 30)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three classes for learning and, apart from them, one photo of each."""
    folder = tmp_path_factory.mktemp("road")
    for name, colour in COLOURS.items():
        for part, count in (("photos", 8), ("later", 2)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                shade = tuple(min(255, value + 4 * number) for value in colour)
                Image.new("RGB", (40 + number, 36), shade).save(folder / part / name / f"{number}.jpg")
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network") / "net"
    folder.mkdir()
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", num_classes=5).state_dict(), folder / "model.safetensors")
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 32, 32], "interpolation": "bilinear"}
    config = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": cfg, "label_names": list("abcde")}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def road(run_zoo, model, photos, settings):
    """Each step by the command line; returns the labels that the bundle's own program finds."""

    def step(words):
        code, out, err = run_zoo(*shlex.split(words))
        assert code == 0, f"{words}\n{out}\n{err}"
        return out

    learned = json.loads(step(f"finetune {model} --data {photos}/photos --output runs/mine --json {settings}"))
    measured = json.loads(step(f"evaluate runs/mine --dataset imagefolder --data {photos}/later --json"))
    assert measured["n"] == 6
    assert learned["data"]["labels"] == list(COLOURS)
    step(f"predict {photos}/later --model runs/mine --csv found.csv")
    step("export runs/mine --target portable --output mine.onnx --bundle bundle --serve models --threads 1")
    again = json.loads(step(f"evaluate mine.onnx --dataset imagefolder --data {photos}/later --json"))
    assert again["correct1"] == measured["correct1"]
    shutil.copy(f"{photos}/later/red/0.jpg", "later.jpg")
    done = subprocess.run(
        [sys.executable, "-I", "bundle/run.py", "later.jpg", "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    best = json.loads(done.stdout)["best"]
    assert {row["label"] for row in best} == set(COLOURS)
    later = next(row for row in json.loads(step("predict later.jpg --model runs/mine --json"))["images"])
    assert best[0]["label"] == later["guesses"][0]["label"]
    return measured


def test_from_a_network_of_timm(run_zoo, network, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured = road(run_zoo, network, photos, "--epochs 6 --lr 0.01 --set runtime.workers=0")
    assert measured["top1"] == 100


def test_from_a_converted_network(run_zoo, network, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run_zoo("convert", network, "--to", "fles", "--output", "converted")
    assert code == 0, err
    road(run_zoo, "./converted", photos, "--epochs 2 --lr 0.01 --set runtime.workers=0")


@pytest.mark.slow
def test_from_weights_of_the_zoo(run_zoo, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured = road(run_zoo, "salunet_c18_cifar.cifar10", photos, "--epochs 3")
    assert measured["top1"] == 100

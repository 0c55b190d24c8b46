"""A small network in integers, made once."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from small_net import LABELS, PREPROCESS, SIZE, mixed, prototypes, small
from typer.testing import CliRunner

from export import InputSpec, export
from export.commands import register
from export.native import library


@pytest.fixture(scope="session")
def own_cache(cache, tmp_path_factory) -> Path:
    """The compiled operators in a folder of these tests: others count what is arranged in theirs."""
    library()
    folder = tmp_path_factory.mktemp("int8")
    shutil.copytree(cache / "native", folder / "native")
    return folder


@pytest.fixture(autouse=True)
def _in_own_cache(own_cache, monkeypatch):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(own_cache))


@pytest.fixture(scope="session")
def small_spec() -> InputSpec:
    return InputSpec(*SIZE, preprocess=PREPROCESS, labels=LABELS)


@pytest.fixture(scope="session")
def pictures() -> torch.Tensor:
    return mixed(prototypes().repeat(24, 1, 1, 1), 0.9, 96, seed=6)


@pytest.fixture(scope="session")
def labelled(pictures):
    """Images with the classes that `small()` names: it is right on all of them."""
    with torch.inference_mode():
        return pictures, small()(pictures).argmax(1)


@pytest.fixture(scope="session")
def made(own_cache, small_spec, pictures, labelled, tmp_path_factory):
    """`small()` in integers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALU_ZOO_CACHE", str(own_cache))
        return export(
            small(),
            tmp_path_factory.mktemp("made") / "small.onnx",
            target="edge_int8",
            input_spec=small_spec,
            calibration=pictures[:32],
            evaluation=labelled,
            budget=5.0,
            threads=1,
        )


@pytest.fixture(scope="session")
def batch(pictures) -> dict[str, np.ndarray]:
    return {"image": pictures[:6].numpy()}


@pytest.fixture(scope="session")
def image_folder(pictures, tmp_path_factory):
    """Some of the pictures as files: train and test, a folder for each of four classes."""
    folder = tmp_path_factory.mktemp("images")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (PREPROCESS.mean, PREPROCESS.std))
    for number, picture in enumerate(pictures[:48]):
        pixels = ((picture * std + mean) * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
        place = folder / ("train" if number < 32 else "test") / str(number % 4)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


@pytest.fixture
def run_export(monkeypatch):
    """Run `zoo export` for a given model on one thread."""

    def run(model, path, *arguments):
        model.pretrained_cfg = {"architecture": "small", "label_names": ()} | PREPROCESS.to_dict()
        monkeypatch.setattr("zoo.names.open_model", lambda *_, **__: SimpleNamespace(model=model))
        app = typer.Typer()
        register(app)
        command = ["export", "small", "--target", "edge_int8", "--output", path, "--threads", 1, *arguments]
        return CliRunner().invoke(app, [str(part) for part in command])

    return run

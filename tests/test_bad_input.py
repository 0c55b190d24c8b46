"""What a user can get wrong on the command line: one line that says so, exit status 1, and nothing left behind."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from cards.cases import MODEL, make_tag
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file
from tiny_images import CIFAR10_NAMES

from export.digest import seal
from export.metadata import FileMetadata
from zoo import cli
from zoo.cards.card import write_card
from zoo.data.preprocess import Preprocess
from zoo.models import MODELS, build_model

SAMPLE = Path(__file__).resolve().parent.parent / "demo" / "cifar10_sample"
CARD = f"{MODEL}.cifar10"
RUN = ["--data", str(SAMPLE), "--device", "cpu"]
ON_SAMPLE = ["--dataset", "cifar10", "--limit", "4", "--workers", "0", *RUN]

BAD = {
    "unknown model": (["evaluate", "tiny_x.cifar10", *ON_SAMPLE], "Unknown model 'tiny_x'. Nearest: tiny_t"),
    "unknown tag": (["evaluate", f"{MODEL}.cifar", *ON_SAMPLE], CARD),
    "unknown dataset": (["evaluate", CARD, *ON_SAMPLE, "--dataset", "cifar11"], "Nearest: cifar10"),
    "unknown target": (["export", CARD, "--target", "portible", "-o", "new.onnx"], "Nearest: portable"),
    "unknown precision": (["export", CARD, "--precision", "float61", "-o", "new.onnx"], "of target portable 'float61'"),
    "int8 without a budget": (["export", CARD, "--target", "edge_int8", "-o", "new.onnx"], "needs an accuracy budget"),
    "a budget for float32": (["export", CARD, "--budget", "1", "-o", "new.onnx"], "belong to int8"),
    "a bundle over something else": (["export", CARD, "-o", "new.onnx", "--bundle", "nan"], "nan"),
    "a page of another target": (["export", CARD, "--target", "edge_cpu", "-o", "new.onnx", "--page", "new"], "web"),
    "everything without a check": (["export", "--all"], "add --check"),
    "an engine for another target": (["warm", "foreign.onnx"], "foreign.onnx"),
    "unknown recipe": (["train", "c18_cifar", *RUN], "Nearest: c18_cifar10"),
    "unknown field": (["train", "c18_cifar10", "--set", "optimizer.rl=1", *RUN], "Nearest: optimizer.lr"),
    "unknown device": (["train", "c18_cifar10", *RUN, "--device", "cuda:99"], "cuda:99"),
    "corrupt weights": (["evaluate", "./corrupt", *ON_SAMPLE], "not a readable safetensors file"),
    "truncated weights": (["evaluate", "./truncated", *ON_SAMPLE], "truncated"),
    "wrong sha256": (["evaluate", "./replaced", *ON_SAMPLE], "is not the file its card pins"),
    "NaN in a card": (["export", "./nan", "-o", "new.onnx"], "NaN or infinite values in 1 of"),
    "NaN in a checkpoint": (["adopt", "nan/model.safetensors", "--model", MODEL, "--tag", "new"], "NaN"),
    "corrupt checkpoint": (["adopt", "corrupt/model.safetensors", "--model", MODEL, "--tag", "new"], "safetensors"),
    "wrong image size": (["evaluate", CARD, *ON_SAMPLE, "--img-size", "30"], "does not divide"),
    "wrong size to export": (["export", CARD, "--img-size", "30", "-o", "new.onnx"], "does not divide"),
    "wrong channels": (["evaluate", "./grey", *ON_SAMPLE], "file has (8, 3, 4, 4), model needs (8, 1, 4, 4)"),
    "channels no image has": (
        ["train", "c18_cifar10", *RUN, "--set", "model.args={in_chans=4}", "--set", "data.train_split=test"],
        "takes 4 channels",
    ),
    "missing dataset": (["evaluate", CARD, *ON_SAMPLE, "--data", "nowhere"], "nowhere, which does not exist"),
    "missing split": (["train", "c18_cifar10", *RUN], "split 'train' of cifar10"),
    "result nowhere": (["evaluate", CARD, *ON_SAMPLE, "--output", "file/result.json"], "Cannot write"),
    "export nowhere": (["export", CARD, "-o", "file/new.onnx"], "Cannot write"),
    "card nowhere": (
        ["adopt", f"model_cards/{CARD}/model.safetensors", "--model", MODEL, "--tag", "new", "--output", "file/new"],
        "Cannot write",
    ),
    "run nowhere": (["train", "c18_cifar10", *RUN, "--output", "file/run"], "Cannot write"),
    "foreign ONNX file": (["validate", "foreign.onnx", CARD], "was not written by `zoo export`"),
    "foreign ONNX file measured": (["evaluate", "foreign.onnx", *ON_SAMPLE], "was not written by `zoo export`"),
    "no ONNX file": (["validate", "file", CARD], "file"),
    "ONNX file of another model": (["validate", "other.onnx", CARD], "was exported from salunet_c18_cifar"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """The working folder: a card that is right, and what is wrong in one way each."""
    import datasets

    folder = tmp_path_factory.mktemp("bad_input")
    spec = MODELS.get("salunet_t_cifar")
    small = {"embed_dim": 8, "depth": 1, "num_heads": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS._items, MODEL, replace(spec, name=MODEL, numbers={**spec.numbers, **small}))
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("zoo.card_folders.checkout_root", lambda: folder)
        patch.chdir(folder)
        _fill(folder)
        yield folder


def _fill(folder: Path) -> None:
    torch.manual_seed(0)
    card = folder / "model_cards" / CARD
    tag = make_tag(tag="cifar10", num_classes=10, labels=CIFAR10_NAMES)
    write_card(card, build_model(MODEL, num_classes=10).state_dict(), tag)
    weights = {name: shutil.copytree(card, folder / name) / "model.safetensors" for name in ("corrupt", "truncated",
               "replaced", "nan", "grey")}  # fmt: skip
    weights["corrupt"].write_bytes(b"these are no weights" * 100)
    weights["truncated"].write_bytes(weights["truncated"].read_bytes()[:-40])
    state = load_file(weights["replaced"])
    save_file({name: -value for name, value in state.items()}, weights["replaced"])
    state["head.bias"][3] = float("nan")
    save_file(state, weights["nan"])
    _change(folder / "nan", sha256=hashlib.sha256(weights["nan"].read_bytes()).hexdigest())
    grey = Preprocess((1, 32, 32), "bicubic", 1.0, "center", (0.5,), (0.5,))
    _change(folder / "grey", preprocess=grey.to_dict())
    (folder / "file").write_text("neither a folder nor ONNX")
    onnx.save(_mean_of_channels(), folder / "foreign.onnx")
    other = _mean_of_channels()
    rgb = Preprocess((3, 32, 32), "bicubic", 1.0, "center", (0.5,) * 3, (0.5,) * 3).to_dict()
    texts = dict.fromkeys(("tag", "source_sha256", "license", "zoo_version", "torch_version"), "")
    record = FileMetadata(
        model="salunet_c18_cifar",
        labels=(),
        preprocess=rgb,
        weights_sha256="0" * 64,
        target="portable",
        opset=18,
        **texts,
    )
    helper.set_model_props(other, record.to_props())
    seal(other)
    onnx.save(other, folder / "other.onnx")


def _change(card: Path, **fields: object) -> None:
    config = card / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps(values | {"salu_zoo": values["salu_zoo"] | fields}))


def _mean_of_channels() -> onnx.ModelProto:
    """The mean of each channel as a logit: a classifier that somebody else exported."""
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["mean"]), helper.make_node("Flatten", ["mean"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 32, 32])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "mean", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_one_error(arguments, said, place, capsys):
    before = _files(place)
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert left.value.code == 1, err
    assert err.startswith("Error: "), err
    assert said in err
    assert "Traceback" not in err
    assert "foresaw" not in err
    assert out == ""
    assert _files(place) == before


def test_the_good_card_passes(place, capsys):
    """What is refused above is refused for its one fault."""
    with pytest.raises(SystemExit) as left:
        cli.main(["evaluate", CARD, *ON_SAMPLE, "--json"])
    out, err = capsys.readouterr()
    assert left.value.code == 0, err
    assert json.loads(out)["n"] == 4

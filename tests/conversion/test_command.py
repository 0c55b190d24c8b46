"""`zoo convert`."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from tiny_images import CIFAR10_NAMES, write_cifar10
from transformers import BertConfig, BertModel

import zoo
from zoo.cards.card import write_card
from zoo.console import output
from zoo.data.preprocess import Preprocess
from zoo.models import MODELS, build_model
from zoo.weights.tag import PretrainedTag

SILU, GELU = "test_efficientnet", "test_vit"


@pytest.fixture
def run(tmp_path, monkeypatch, run_zoo):
    """Run `zoo convert` in a folder of its own; returns exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(output.console_out, "_width", 200)
    for name in (SILU, GELU):
        torch.manual_seed(0)
        save_file(timm.create_model(name).state_dict(), tmp_path / f"{name}.safetensors")

    return partial(run_zoo, "convert")


def test_a_timm_model_from_a_file(run, tmp_path):
    status, out, err = run(SILU, "--weights", f"{SILU}.safetensors", "--output", "new")
    assert status == 0, err
    assert "bn1.act" in out
    assert "largest difference 0," in out
    assert 'zoo.load_converted("new")' in out
    assert err == ""
    again, report = zoo.load_converted(tmp_path / "new")
    base = timm.create_model(SILU)
    torch.manual_seed(0)
    base = timm.create_model(SILU).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again.eval()(x), base(x))
    assert report.preserves


def test_json_is_all_there_is_on_stdout(run, tmp_path):
    options = ["--include", "blocks.*", "--exclude", "*.1.*", "--steepness", "2", "--of", "gelu"]
    status, out, err = run(GELU, "--weights", f"{GELU}.safetensors", "--output", "new", "--json", *options)
    assert status == 0, err
    printed = json.loads(out)
    written = json.loads((tmp_path / "new" / "conversion.json").read_text())
    assert printed["report"] == written["report"]
    assert printed["measured"] is written["measured"] is None
    sites = printed["report"]["sites"]
    assert all(
        site["path"].startswith("blocks.") and ".1." not in site["path"] and site["steepness"] == 2 for site in sites
    )
    assert written["base"] == {"kind": "timm", "name": GELU, "arguments": {}}


def test_notes_go_to_stderr(run):
    status, out, err = run(GELU, "--weights", f"{GELU}.safetensors", "--to", "salu", "--output", "new")
    assert status == 0, err
    assert "does not normalise" in err
    assert "LayerNorm" in out


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Ten classes, one transformer block, GELU."""
    spec = MODELS.get("salunet_t_cifar")
    small = {"embed_dim": 8, "depth": 1, "num_heads": 2}
    monkeypatch.setitem(MODELS._items, "tiny_t", replace(spec, name="tiny_t", numbers={**spec.numbers, **small}))
    torch.manual_seed(0)
    model = build_model("tiny_t", act="gelu", num_classes=10)
    values = {"model": "tiny_t", "tag": "cifar10", "num_classes": 10, "labels": CIFAR10_NAMES, "license": "mit"}
    tag = PretrainedTag(**values, preprocess=Preprocess.of(model), model_args={"act": "gelu"})
    write_card(tmp_path / "card", model.state_dict(), tag)
    return tmp_path / "card"


def test_accuracy_before_and_after(run, card, tmp_path):
    data = write_cifar10(tmp_path / "data", 12)
    options = ["--dataset", "cifar10", "--data", data, "--limit", "6", "--device", "cpu"]
    status, out, err = run("./card", "--output", "new", *options)
    assert status == 0, err
    assert "Top-1 on 6 images of cifar10" in out
    measured = json.loads((tmp_path / "new" / "conversion.json").read_text())["measured"]
    page = (tmp_path / "new" / "README.md").read_text()
    assert "| Top-1 (%) |" in page
    assert "16 images of cifar10" in page
    before, after = measured["before"], measured["after"]
    assert before["n"] == after["n"] == 6
    assert 0 < measured["largest_logit_difference"] < 0.05 * measured["largest_logit"]
    assert abs(before["loss"] - after["loss"]) < measured["largest_logit_difference"] * 2
    again, _ = zoo.load_converted(tmp_path / "new")
    result = zoo.evaluate(again, "cifar10", data=data, limit=6)
    assert (result.correct1, result.loss) == (after["correct1"], pytest.approx(after["loss"]))


def test_to_salunet(run, tmp_path):
    name = "test_resnet"
    save_file(timm.create_model(name).state_dict(), tmp_path / "resnet.safetensors")
    status, out, err = run(name, "--weights", "resnet.safetensors", "--to", "salunet", "--output", "new")
    assert status == 0, err
    assert "folded into" in out
    assert "layer1.0.conv2" in out
    again, report = zoo.load_converted(tmp_path / "new")
    assert not any("BatchNorm" in type(m).__name__ for m in again.modules())
    assert report.arguments == {"headroom": 8.0, "steepness": 16.0}
    assert json.loads((tmp_path / "new" / "conversion.json").read_text())["example"] == "two samples of noise"
    assert "converted to salunet" in (tmp_path / "new" / "README.md").read_text()


def test_a_transformers_folder(run, tmp_path):
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(**sizes, intermediate_size=24)).save_pretrained(tmp_path / "bert")
    status, out, err = run("bert", "--output", "new")
    assert status == 0, err
    assert "encoder.layer.1.intermediate.intermediate_act_fn" in out
    assert json.loads((tmp_path / "new" / "config.json").read_text())["model_type"] == "fles_bert"


BAD = {
    "unknown model": (["test_efficientnt"], "Nearest: test_efficientnet"),
    "a path to nothing": (["./nowhere"], "no file or folder nowhere"),
    "unknown target": ([SILU, "--to", "flees"], "Nearest: fles"),
    "no weights file": ([SILU, "--weights", "none.safetensors"], "no weights file none.safetensors"),
    "corrupt weights": ([SILU, "--weights", "corrupt.safetensors"], "not a readable safetensors file"),
    "another model's weights": ([SILU, "--weights", f"{GELU}.safetensors"], "does not fit EfficientNet"),
    "weights for a card": (["./card", "--weights", f"{SILU}.safetensors"], "leave --weights out"),
    "pattern": ([SILU, "--weights", f"{SILU}.safetensors", "--include", "layer1.*"], "fits no activation"),
    "kind": ([SILU, "--weights", f"{SILU}.safetensors", "--of", "glue"], "Nearest: gelu"),
    "axis": ([SILU, "--weights", f"{SILU}.safetensors", "--channel-axis", "0"], "Axis 0 is the batch"),
    "steepness": ([SILU, "--weights", f"{SILU}.safetensors", "--steepness", "nan"], "finite"),
    "steepness of a gate without": (
        [SILU, "--weights", f"{SILU}.safetensors", "--to", "swalu", "--steepness", "1"],
        "steepness",
    ),
    "steepness of salunet": (
        [SILU, "--weights", f"{SILU}.safetensors", "--to", "salunet", "--steepness", "-1"],
        "give a positive number",
    ),
    "kinds for salunet": (
        [SILU, "--weights", f"{SILU}.safetensors", "--to", "salunet", "--of", "relu"],
        "leave of, channel_axis",
    ),
    "data without a dataset": ([SILU, "--weights", f"{SILU}.safetensors", "--limit", "3"], "--dataset"),
    "unknown dataset": (["./card", "--dataset", "cifar11"], "Nearest: cifar10"),
    "damaged transformers folder": (["./bert"], "does not load as BertModel"),
    "output is a file": (["./card", "--output", "corrupt.safetensors"], "Cannot write"),
    "output is taken": (["./card", "--output", "card"], "holds a model.safetensors already"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_one_error(run, card, tmp_path, arguments, said):
    (tmp_path / "corrupt.safetensors").write_bytes(b"no weights" * 9)
    (tmp_path / "bert").mkdir()
    config = {"model_type": "bert", "architectures": ["BertModel"]}
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config))
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(*arguments, *(() if "--output" in arguments else ("--output", "new")))
    assert (status, out) == (1, "")
    assert err.startswith("Error: ")
    assert said in err
    assert "foresaw" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_weights_that_cannot_be_fetched(run, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("offline")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    status, out, err = run(SILU, "--output", "new")
    assert (status, out) == (1, "")
    assert "Give a file with --weights" in err
    assert not Path("new").exists()

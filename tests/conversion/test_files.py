"""A converted model on disk, and back."""

import json

import pytest
import timm
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, BertForMaskedLM, BertForSequenceClassification

import zoo
from zoo.conversion import Report, rebuild, save_converted
from zoo.conversion.base import build_base
from zoo.conversion.conversion_readme import conversion_readme
from zoo.errors import ConfigurationError, OutputError, WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.names import open_model

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
TIMM = {"kind": "timm", "name": "test_efficientnet", "arguments": {}}
X = torch.randn(2, 3, 32, 32)


def scrambled(model):
    """Every number changed, so that nothing but the file can explain equal outputs."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value += 0.05 * torch.rand(value.shape, generator=generator)
    return model.eval()


@pytest.fixture
def folder(tmp_path):
    """A converted test_efficientnet."""
    model, report = zoo.convert(timm.create_model("test_efficientnet"), example=X)
    save_converted(tmp_path / "saved", scrambled(model), report, TIMM)
    return tmp_path / "saved"


@pytest.mark.parametrize("to", ["fles", "fles_pn", "swalu", "salu", "dyt", "salunet"])
def test_round_trip(tmp_path, to):
    model, report = zoo.convert(timm.create_model("test_efficientnet"), to, example=X)
    save_converted(tmp_path, scrambled(model), report, TIMM)
    again, said = zoo.load_converted(tmp_path)
    assert said == report
    assert again.training
    with torch.no_grad():
        assert torch.equal(again.eval()(X), model(X))


def test_by_hand(folder):
    """What the documentation says: build the base, rebuild, load strictly."""
    from safetensors.torch import load_file

    record = json.loads((folder / "conversion.json").read_text())
    model = rebuild(timm.create_model("test_efficientnet"), record["report"])
    assert model.load_state_dict(load_file(folder / "model.safetensors")).missing_keys == []
    with torch.no_grad():
        assert torch.equal(model.eval()(X), zoo.load_converted(folder)[0].eval()(X))


def test_the_page_says_what_the_record_says(folder):
    record, page = json.loads((folder / "conversion.json").read_text()), (folder / "README.md").read_text()
    report = Report.from_dict(record["report"])
    assert page == conversion_readme(record, "saved")
    assert page.startswith("# test_efficientnet converted to fles\n")
    assert 'zoo.load_converted("saved")' in page
    assert record["sha256"] in page
    assert "No accuracy was measured" in page
    assert all(f"| {site.path} | SiLU | fles |" in page for site in report.sites)
    assert "{:,} before, {:,} now".format(*report.parameters) in page
    assert "\n\n\n" not in page


def test_the_page_tells_what_was_left_and_measured():
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 4, 1), torch.nn.ReLU6())
    _, report = zoo.convert(model, "salunet", example=X, partial=True)
    record = {"base": TIMM, "report": report.to_dict(), "sha256": "0" * 64, "versions": {"python": "3.11"}}
    results = {"dataset": "cifar10", "n": 1000, "top1": 91.5}
    record["measured"] = {
        "before": results,
        "after": {**results, "top1": 91.25},
        "same_prediction_percent": 99.0,
        "largest_logit_difference": 0.5,
        "largest_logit": 20.0,
    }
    page = conversion_readme({**record, "example": "16 images of cifar10"}, "new")
    assert "| Top-1 (%) | 91.50 | 91.25 |" in page
    assert "on the example (16 images of cifar10)" in page
    assert "- 0 (BatchNorm2d): no convolution or linear layer stands directly before it" in page
    assert "- the network still normalises: 0 (BatchNorm2d)." in page
    assert "| 2 | ReLU6 | swalu | 6 | a = 16, b = 16 |" in page
    assert "\n\n\n" not in page


def test_number_type_is_kept(tmp_path):
    model, report = zoo.convert(timm.create_model("test_vit").to(torch.bfloat16))
    save_converted(tmp_path, model, report, {**TIMM, "name": "test_vit"})
    assert {p.dtype for p in zoo.load_converted(tmp_path)[0].parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_default_number_type_changes_nothing(folder, dtype):
    expected = zoo.load_converted(folder)[0].state_dict()
    torch.set_default_dtype(dtype)
    try:
        found = zoo.load_converted(folder)[0].state_dict()
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_fles_bert_loads_both_ways(tmp_path):
    base = BertForSequenceClassification(BertConfig(**SIZES, hidden_act="silu", num_labels=3)).eval()
    base.save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    named = open_model(str(tmp_path / "base"))
    opened, record = named.model, named.base
    model, report = zoo.convert(opened)
    save_converted(tmp_path / "new", model, report, record, tokenizer=tmp_path / "base")
    ids = torch.randint(1, 50, (2, 6))
    ours, _ = zoo.load_converted(tmp_path / "new")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "new")
    with torch.no_grad():
        for again in (ours.eval(), theirs.eval()):
            assert torch.equal(again(ids).logits, base(ids).logits)
    assert theirs.config.num_labels == 3
    assert (tmp_path / "new" / "vocab.txt").read_text() == "[PAD]\n[UNK]\n"
    for name in ("conversion.json", "config.json", "README.md"):
        assert str(tmp_path) not in (tmp_path / "new" / name).read_text()


def test_other_transformers_models(tmp_path):
    """With tied weights, and no config.json that would load as something else."""
    BertForMaskedLM(BertConfig(**SIZES)).save_pretrained(tmp_path / "base")
    named = open_model(str(tmp_path / "base"))
    opened, record = named.model, named.base
    model, report = zoo.convert(opened, "swalu")
    save_converted(tmp_path / "new", scrambled(model), report, record)
    files = ["README.md", "conversion.json", "model.safetensors"]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == files
    again, _ = zoo.load_converted(tmp_path / "new")
    ids = torch.randint(1, 50, (2, 6))
    with torch.no_grad():
        assert torch.equal(again.eval()(ids).logits, model(ids).logits)


def test_a_model_of_the_zoo(tmp_path):
    named = open_model("salunet_t_cifar", pretrained=None)
    model, base = named.model, named.base
    converted, report = zoo.convert(model, of="galu", steepness=1.7)
    save_converted(tmp_path, converted, report, base)
    again, _ = zoo.load_converted(tmp_path)
    assert all(
        torch.equal(a, b) for a, b in zip(again.state_dict().values(), converted.state_dict().values(), strict=True)
    )


def test_a_report_fits_its_model_only(folder):
    record = json.loads((folder / "conversion.json").read_text())
    report = Report.from_dict(record["report"])
    assert report.to_dict() == record["report"]
    other = timm.create_model("test_resnet")
    before = dict(other.named_modules())
    with pytest.raises(ConfigurationError, match=r"(?s)is not the model of the report.*bn1.act: .* has nothing there"):
        rebuild(other, report)
    assert dict(other.named_modules()) == before
    with pytest.raises(ConfigurationError, match="the report has SiLU, the model has FleS"):
        rebuild(zoo.load_converted(folder)[0], report)


@pytest.mark.parametrize("values", [{}, {"format": 1}, {"sites": []}])
def test_what_is_no_report(folder, values):
    record = json.loads((folder / "conversion.json").read_text())["report"]
    with pytest.raises(
        ConfigurationError, match=r"no conversion report of format 3: .*Format 1 belongs to the first edition of FleS"
    ):
        Report.from_dict({} if not values else {**record, **values} if "format" in values else values)
    with pytest.raises(ConfigurationError, match=r"missing fields: sites\[0\]\.became, .*sites\[0\]\.was"):
        Report.from_dict({**record, "sites": [{"path": "x"}]})


def test_nothing_is_replaced_unasked(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    model, report = zoo.convert(timm.create_model("test_efficientnet"), example=X)
    with pytest.raises(OutputError, match=r"holds a conversion.json already.*--force"):
        save_converted(folder, model, report, TIMM)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    save_converted(folder, model, report, TIMM, force=True)
    assert (folder / "model.safetensors").read_bytes() != before["model.safetensors"]


def test_nan_is_not_stored(tmp_path):
    model, report = zoo.convert(timm.create_model("test_efficientnet"), example=X)
    torch.nn.init.constant_(model.classifier.bias, float("nan"))
    with pytest.raises(WeightsMismatchError, match=r"classifier\.bias"):
        save_converted(tmp_path / "new", model, report, TIMM)
    assert not (tmp_path / "new").exists()


def spoil(folder, how):
    record = json.loads((folder / "conversion.json").read_text())
    if how == "no folder":
        return folder / "none"
    if how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "other weights":
        data = bytearray((folder / "model.safetensors").read_bytes())
        data[-1] ^= 1
        (folder / "model.safetensors").write_bytes(data)
    elif how == "no JSON":
        (folder / "conversion.json").write_text("{")
    elif how == "no base":
        del record["base"]
        (folder / "conversion.json").write_text(json.dumps(record))
    else:
        record["base"] = {"kind": "pickle"}
        (folder / "conversion.json").write_text(json.dumps(record))
    return folder


SPOILT = {
    "no folder": (WeightsNotFoundError, "give the folder it wrote to"),
    "no weights": (WeightsNotFoundError, "no weights file"),
    "other weights": (WeightsMismatchError, "is not the file"),
    "no JSON": (WeightsCorruptError, "cannot be read"),
    "no base": (WeightsCorruptError, "does not hold base"),
    "unknown base": (ConfigurationError, "kind 'pickle'; known are"),
}


@pytest.mark.parametrize(("how", "error", "said"), [(how, *rest) for how, rest in SPOILT.items()], ids=SPOILT)
def test_what_does_not_load(folder, how, error, said):
    with pytest.raises(error, match=said):
        zoo.load_converted(spoil(folder, how))


def test_a_base_is_built_without_weights():
    assert type(build_base(TIMM)).__name__ == "EfficientNet"
    with pytest.raises(ConfigurationError, match="has no NoSuchModel"):
        build_base({"kind": "transformers", "class": "NoSuchModel", "config": {}})

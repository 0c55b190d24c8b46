"""zoo adopt for text models: the folder of a fine-tuned transformers model in, a card out."""

import json

import pytest
import tiny_texts
import torch
from safetensors.torch import load_file

from zoo.adoption.adopt import adopt
from zoo.cards.readme import check_card
from zoo.errors import (
    ConfigurationError,
    OutputError,
    UnknownNameError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
)
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of

from .cases import MODEL, TEXT_NAME


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_run_becomes_a_card(finetuned, cards):
    done = adopt(finetuned, tiny_texts.NAME, "sst2", license="apache-2.0", source="fine-tuned here")
    assert done.folder == cards / TEXT_NAME
    model = create_model(TEXT_NAME, pretrained=True)
    source = tiny_texts.make_model().state_dict()
    assert all(torch.equal(value, source[name]) for name, value in model.state_dict().items())
    tag = identity_of(model).tag
    assert (tag.dataset, tag.recipe, tag.labels, tag.preprocess.max_length) == ("sst2", "glue", tiny_texts.LABELS, 12)
    assert (tag.license, tag.source, tag.model_args) == ("apache-2.0", "fine-tuned here", {})
    assert load_file(done.folder / "model.safetensors")["classifier.weight"].dtype == torch.float16
    check_card(done.folder)


def test_recipe_and_log_go_onto_the_card(finetuned):
    folder = adopt(finetuned, tiny_texts.NAME, "sst2").folder
    training = json.loads((folder / "results.json").read_text())["training"]
    assert (training["epochs"], training["seconds"], training["texts"]["train"]) == (2, 12, 64)
    assert training["log"] == [
        {"epoch": 0.5, "train_loss": 0.9},
        {"epoch": 1.0, "train_loss": 0.8},
        {"epoch": 1.0, "val_accuracy": 0.5, "val_loss": 0.7},
    ]
    text = (folder / "README.md").read_text()
    for part in ("Recipe: `glue`", "| schedule.epochs | 2 |", "base_model: org/encoder", "(curve.png)"):
        assert part in text
    assert (folder / "curve.png").is_file()


def test_a_start_that_is_a_folder_is_no_base_model(finetuned):
    summary = json.loads((finetuned / "summary.json").read_text())
    summary["recipe"]["model"]["start"] = "/srv/encoders/minilm"
    (finetuned / "summary.json").write_text(json.dumps(summary))
    text = (adopt(finetuned, tiny_texts.NAME, "sst2").folder / "README.md").read_text()
    assert "base_model" not in text
    assert "| model.start | local: encoders/minilm |" in text
    assert "/srv" not in text


def test_a_folder_without_a_summary(finetuned):
    (finetuned / "summary.json").unlink()
    done = adopt(finetuned, tiny_texts.NAME, "own", labels=("bad", "good"), dtype="float32")
    assert (done.tag.labels, done.tag.dataset, done.tag.recipe) == (("bad", "good"), "", None)
    assert done.tag.preprocess.max_length == 24
    assert adopt(finetuned, tiny_texts.NAME, "cut", max_length=9).tag.preprocess.max_length == 9
    assert adopt(finetuned, tiny_texts.NAME, "plain").tag.labels == tiny_texts.LABELS


@pytest.mark.parametrize("act", ["gelu", "fles_pn"])
def test_settings_of_the_network_are_kept(finetuned, act):
    """The classes of transformers for plain BERT, and fields that differ from the model's own."""
    made = tiny_texts.make_model(act=act, hidden_dropout_prob=0.0, max_position_embeddings=32)
    made.save_pretrained(finetuned)
    done = adopt(finetuned, tiny_texts.NAME, "other", max_length=20)
    assert done.tag.model_args == {"act": act, "hidden_dropout_prob": 0.0, "max_position_embeddings": 32}
    state = create_model(done.folder).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in made.state_dict().items())


def test_what_does_not_fit_is_refused_and_nothing_is_written(finetuned, cards):
    config, tokenizer = finetuned / "config.json", finetuned / "tokenizer_config.json"
    with pytest.raises(ConfigurationError, match=r"Texts of 30 tokens do not fit .* end at 24"):
        adopt(finetuned, tiny_texts.NAME, "x", max_length=30)
    with pytest.raises(WeightsMismatchError, match="has 2 outputs, mnli needs 3"):
        adopt(finetuned, tiny_texts.NAME, "x", dataset="mnli")
    with pytest.raises(ConfigurationError, match="no class name in common"):
        adopt(finetuned, tiny_texts.NAME, "x", dataset="cola")
    with pytest.raises(ConfigurationError, match="number their classes differently"):
        adopt(finetuned, tiny_texts.NAME, "x", labels=tiny_texts.LABELS[::-1])
    with pytest.raises(WeightsMismatchError, match="is no fles_minilm_l6: hidden_size 16 instead of 384"):
        adopt(finetuned, "fles_minilm_l6", "x")
    with pytest.raises(UnknownNameError, match="Nearest: tiny_bert"):
        adopt(finetuned, "tiny_bart", "x")
    edit(config, fles_hidden=7)
    with pytest.raises(WeightsMismatchError, match=r"names do not fit.*Nothing was written"):
        adopt(finetuned, tiny_texts.NAME, "x")
    edit(config, model_type="gpt2")
    with pytest.raises(WeightsMismatchError, match="a model of type 'gpt2'"):
        adopt(finetuned, tiny_texts.NAME, "x")
    tokenizer.unlink()
    with pytest.raises(WeightsNotFoundError, match=r"lacks tokenizer_config\.json"):
        adopt(finetuned, tiny_texts.NAME, "x")
    assert not cards.exists()


def test_a_file_is_no_folder_and_options_of_the_other_kind_are_refused(finetuned, tmp_path):
    with pytest.raises(WeightsNotFoundError, match="is a file; for tiny_bert give the folder"):
        adopt(finetuned / "model.safetensors", tiny_texts.NAME, "x")
    with pytest.raises(WeightsNotFoundError, match="does not exist"):
        adopt(tmp_path / "nothing", tiny_texts.NAME, "x")
    for option in ({"model_args": {"norm": "salu"}}, {"ema": True}, {"num_classes": 2}, {"rename": {}}):
        with pytest.raises(ConfigurationError, match="tiny_bert is a text model"):
            adopt(finetuned, tiny_texts.NAME, "x", **option)
    with pytest.raises(ConfigurationError, match="tiny_t is a model for images; max_length"):
        adopt(finetuned / "model.safetensors", MODEL, "x", max_length=9)


def test_damaged_weights_and_a_card_that_exists(finetuned):
    adopt(finetuned, tiny_texts.NAME, "sst2")
    with pytest.raises(OutputError, match="--force"):
        adopt(finetuned, tiny_texts.NAME, "sst2")
    assert adopt(finetuned, tiny_texts.NAME, "sst2", force=True).tag.sha256
    (finetuned / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsCorruptError, match="not a readable safetensors"):
        adopt(finetuned, tiny_texts.NAME, "other")


def test_on_the_command_line(finetuned, cards, run_zoo):
    arguments = ["adopt", finetuned, "--model", tiny_texts.NAME, "--tag", "sst2", "--max-length", 10, "--json"]
    code, out, err = run_zoo(*arguments)
    assert code == 0, err
    done = json.loads(out)
    assert done["config"]["preprocess"]["max_length"] == 10
    assert (cards / TEXT_NAME / "tokenizer.json").is_file()
    rows = json.loads(run_zoo("list", "weights", "--json")[1])
    assert [(row["name"], row["trained_on"], row["top1"]) for row in rows] == [(TEXT_NAME, "sst2", None)]

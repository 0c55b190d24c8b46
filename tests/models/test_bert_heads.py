"""The heads of `fles_bert`: each by its Auto class, saved and loaded, with BERT's own loss and ties."""

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn

from zoo.activations import FleS
from zoo.models import bert
from zoo.models.bert import FlesBertConfig, FlesBertForMaskedLM, FlesBertModel

from .test_bert import SIZES, TOLERANCE

N, TOKENS, CHOICES = 2, 6, 3
FIELDS = {key: value for key, value in SIZES.items() if key != "num_labels"} | {
    "fles_start": "identity",
    "fles_steepness": 1.3,
}
IDS = torch.randint(1, 60, (N, TOKENS), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
WORDS = IDS.masked_fill(MASK == 0, -100)
# Head: further fields, how inputs are shaped, labels, shapes of the outputs.
HEADS = {
    "MaskedLM": ({}, {"labels": WORDS}, {"logits": (N, TOKENS, 60)}),
    "TokenClassification": ({"num_labels": 4}, {"labels": WORDS % 4}, {"logits": (N, TOKENS, 4)}),
    "QuestionAnswering": (
        {},
        {"start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([3, 2])},
        {"start_logits": (N, TOKENS), "end_logits": (N, TOKENS)},
    ),
    "MultipleChoice": ({}, {"labels": torch.tensor([2, 0])}, {"logits": (N, CHOICES)}),
    "SequenceClassification": ({"num_labels": 3}, {"labels": torch.tensor([2, 0])}, {"logits": (N, 3)}),
}


def inputs(head: str) -> dict[str, Tensor]:
    given = {"input_ids": IDS, "attention_mask": MASK}
    if head == "MultipleChoice":
        return {name: torch.stack([value.roll(i, 0) for i in range(CHOICES)], 1) for name, value in given.items()}
    return given


def build(head: str, **fields: object) -> nn.Module:
    torch.manual_seed(0)
    config = FlesBertConfig(**{**FIELDS, **HEADS[head][0], **fields})
    return getattr(transformers, f"AutoModelFor{head}").from_config(config).eval()


def trained(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for gate in (module for module in model.modules() if isinstance(module, FleS)):
            for parameter in gate.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("head", HEADS)
def test_a_head_is_saved_and_loaded_by_its_auto_class(head: str, tmp_path) -> None:
    model, auto = trained(build(head)), getattr(transformers, f"AutoModelFor{head}")
    assert type(model) is getattr(bert, f"FlesBertFor{head}")
    assert type(model.get_submodule("bert")) is FlesBertModel
    model.save_pretrained(tmp_path)
    again, told = auto.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(told.values())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        expected, found = model(**inputs(head)), again.eval()(**inputs(head))
    for name, shape in HEADS[head][2].items():
        assert expected[name].shape == shape
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=TOLERANCE)
    encoder = transformers.AutoModel.from_pretrained(tmp_path)
    assert torch.equal(encoder.embeddings.word_embeddings.weight, model.bert.embeddings.word_embeddings.weight)


@pytest.mark.parametrize("head", HEADS)
def test_a_fresh_head_has_berts_logits_and_loss(head: str) -> None:
    fields, labels, shapes = HEADS[head]
    theirs = getattr(transformers, f"BertFor{head}")
    names = {key: value for key, value in (FIELDS | fields).items() if not key.startswith("fles_")}
    torch.manual_seed(1)
    twin = theirs(transformers.BertConfig(**names, hidden_act="silu")).eval()
    ours = build(head, hidden_act="silu", fles_steepness=1.0)
    missing, unexpected = ours.load_state_dict(twin.state_dict(), strict=False)
    assert not unexpected
    assert all(".intermediate_act_fn." in name for name in missing)
    with torch.no_grad():
        expected, found = twin(**inputs(head), **labels), ours(**inputs(head), **labels)
    assert torch.equal(found.loss, expected.loss)
    assert found.loss > 0
    assert all(torch.equal(found[name], expected[name]) for name in shapes)


@pytest.mark.parametrize("head", HEADS)
def test_every_parameter_of_a_head_learns(head: str) -> None:
    model = trained(build(head)).train()
    model(**inputs(head), **HEADS[head][1]).loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("head", HEADS)
def test_padding_changes_no_kept_output(head: str) -> None:
    model, given, kept = trained(build(head)), inputs(head), 4
    wide = {name: nn.functional.pad(value, (0, 5)) for name, value in given.items()}
    with torch.no_grad():
        short, long = model(**given), model(**wide)
        blind = model(**(given | {"attention_mask": torch.ones_like(given["attention_mask"])}))
    for name, shape in HEADS[head][2].items():
        a, b, c = (out[name][:1, :kept] if TOKENS in shape else out[name][:1] for out in (short, long, blind))
        assert (a - b).abs().max() <= TOLERANCE
        assert (a - c).abs().max() > 1e-3


def test_the_words_embeddings_are_the_decoders_weights(tmp_path) -> None:
    model = build("MaskedLM")
    check_ties(model)
    model.resize_token_embeddings(64)
    assert model.cls.predictions.decoder.weight.shape == (64, 32)
    check_ties(model)
    model.save_pretrained(tmp_path)
    assert not [name for name in load_file(tmp_path / "model.safetensors") if "decoder" in name]
    check_ties(FlesBertForMaskedLM.from_pretrained(tmp_path))
    model.bert.save_pretrained(tmp_path / "encoder")
    check_ties(transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "encoder"))
    loose = build("MaskedLM", tie_word_embeddings=False)
    assert loose.cls.predictions.decoder.weight is not loose.bert.embeddings.word_embeddings.weight


def check_ties(model: nn.Module) -> None:
    head = model.cls.predictions
    assert head.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert head.decoder.bias is head.bias
    assert type(head.transform.transform_act_fn) is type(transformers.activations.ACT2FN["gelu"])


def test_files_of_earlier_releases_say_fles_where_bert_names_its_activation() -> None:
    assert FlesBertConfig(hidden_act="relu").hidden_act == "relu"

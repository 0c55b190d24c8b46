"""Attention masks of two, three and four axes: as transformers' BERT takes them, and by the definition in float64."""

import io

import numpy as np
import onnxruntime as ort
import pytest
import torch
from activations.fles_reference import reference
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from zoo.errors import ShapeError
from zoo.models.bert import FlesBertConfig, FlesBertModel

from .test_bert import SIZES, model

N, TOKENS, HEADS = 2, 7, SIZES["num_attention_heads"]
IDS = torch.randint(1, 60, (N, TOKENS), generator=torch.Generator().manual_seed(0))
KEPT = torch.tensor([[1, 1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1]]).bool()
LOWEST = torch.finfo(torch.float32).min
# Every query of the first text sees two tokens at least; one of its tokens no query sees.
SEEN = (torch.rand(N, 1, TOKENS, TOKENS, generator=torch.Generator().manual_seed(3)) > 0.4) & KEPT[:, None, None]
SEEN[..., :2] = True
BIAS = torch.randn(N, HEADS, TOKENS, TOKENS, generator=torch.Generator().manual_seed(4))


def added(seen: Tensor, lowest: float = LOWEST) -> Tensor:
    return torch.where(seen, 0.0, lowest)


# Name: the mask as given, what is added to the scores, the tokens that count.
MASKS = {
    "2": (KEPT.long(), added(KEPT[:, None, None]), KEPT),
    "2, floating": (KEPT.float(), added(KEPT[:, None, None]), KEPT),
    "3, integers": (SEEN[:, 0].long(), added(SEEN), KEPT),
    "3, of a padding mask": (KEPT[:, None, :].expand(N, TOKENS, TOKENS), added(KEPT[:, None, None]), KEPT),
    "4, boolean": (SEEN, added(SEEN), KEPT),
    "4, for all queries": (KEPT[:, None, None], added(KEPT[:, None, None]), KEPT),
    "4, for all texts": (SEEN[:1], added(SEEN[:1]), KEPT[:1].expand(N, -1)),
    "4, added": (added(SEEN), added(SEEN), KEPT),
    "4, added as -10,000": (added(SEEN, -1e4), added(SEEN), KEPT),
    "4, added as -inf": (added(SEEN, -torch.inf), added(SEEN), KEPT),
    "4, a bias of each head": (BIAS.where(SEEN, LOWEST), BIAS.where(SEEN, LOWEST), KEPT),
    "4, a bias alone": (BIAS, BIAS, torch.ones_like(KEPT)),
}
# transformers' BERT fails on three axes, and adds True as 1 to the scores of eager attention.
TRUTHS = [name for name, (mask, _, _) in MASKS.items() if mask.dtype == torch.bool and mask.ndim == 4]
AS_BERT = [(name, "sdpa") for name in MASKS if not name.startswith("3")]
AS_BERT += [(name, "eager") for name, _ in AS_BERT if name not in TRUTHS]


def exact(net: nn.Module, scores: Tensor, kept: Tensor) -> Tensor:
    """The logits in float64, written out."""
    p = {name: value.double() for name, value in net.state_dict().items()}

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def normal(x: Tensor, name: str) -> Tensor:
        moved = x - x.mean(-1, keepdim=True)
        return moved / (moved.square().mean(-1, keepdim=True) + 1e-12).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]

    start = "bert.embeddings."
    x = p[f"{start}word_embeddings.weight"][IDS] + p[f"{start}position_embeddings.weight"][:TOKENS]
    x = normal(x + p[f"{start}token_type_embeddings.weight"][0], f"{start}LayerNorm")
    for i, layer in enumerate(net.bert.encoder.layer):
        at = f"bert.encoder.layer.{i}."
        parts = (linear(x, f"{at}attention.self.{part}") for part in ("query", "key", "value"))
        q, k, v = (part.view(N, TOKENS, HEADS, -1).transpose(1, 2) for part in parts)
        weights = (q @ k.mT / q.shape[-1] ** 0.5 + scores.double()).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
        x = normal(linear(mixed, f"{at}attention.output.dense") + x, f"{at}attention.output.LayerNorm")
        gated = reference(layer.intermediate.intermediate_act_fn, linear(x, f"{at}intermediate.dense"), kept)
        x = normal(linear(gated, f"{at}output.dense") + x, f"{at}output.LayerNorm")
    return linear(linear(x[:, 0], "bert.pooler.dense").tanh(), "classifier")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", MASKS)
def test_logits_are_those_of_the_definition(name: str, attention: str) -> None:
    net = model(attention=attention)
    mask, scores, kept = MASKS[name]
    with torch.no_grad():
        found = net(IDS, mask).logits
        assert (found - exact(net, scores, kept)).abs().max() <= 1e-5
        others = net(IDS, mask, token_mask=torch.ones_like(KEPT)).logits
        assert kept.all() or (others - found).abs().max() > 1e-3, "which tokens count must show"


@pytest.mark.parametrize(("name", "attention"), AS_BERT)
def test_a_fresh_encoder_attends_as_berts_does(name: str, attention: str) -> None:
    mask, fields = MASKS[name][0], {key: value for key, value in SIZES.items() if key != "num_labels"}
    bert = BertModel(BertConfig(**fields, hidden_act="silu", attn_implementation=attention)).eval()
    ours = FlesBertModel(FlesBertConfig(**fields, fles_start="identity", attn_implementation=attention)).eval()
    ours.load_state_dict(bert.state_dict(), strict=False)
    with torch.no_grad():
        assert torch.equal(ours(IDS, mask).last_hidden_state, bert(IDS, mask).last_hidden_state)


@pytest.mark.parametrize("name", [pytest.param("3, integers", marks=pytest.mark.slow), "4, a bias of each head"])
def test_every_mask_is_exported(name: str) -> None:
    net, (mask, scores, kept), file = model(attention="eager"), MASKS[name], io.BytesIO()

    class Logits(nn.Module):
        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            return net(ids, attention_mask=mask).logits

    program = torch.onnx.export(Logits().eval(), (IDS, mask), dynamo=True, verbose=False)  # noqa: TID251 - a user's own
    program.save(file)
    session = ort.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])  # noqa: TID251 - likewise
    feeds = dict(zip((port.name for port in session.get_inputs()), (IDS.numpy(), mask.numpy()), strict=True))
    found = session.run(None, feeds)[0]
    assert np.abs(found - exact(net, scores, kept).detach().numpy()).max() <= 1e-5


def test_embeddings_in_place_of_tokens_and_a_mask_of_another_number_of_axes() -> None:
    net = model()
    embedded = net.bert.embeddings.word_embeddings(IDS)
    with torch.no_grad():
        for name in ("2", "4, for all texts"):
            mask = MASKS[name][0]
            torch.testing.assert_close(net(inputs_embeds=embedded, attention_mask=mask).logits, net(IDS, mask).logits)
    for shape in ((7,), (2, 1, 1, 7, 7)):
        with pytest.raises(ShapeError, match=r"attention_mask has shape .* give \(n, tokens\)"):
            net(IDS, torch.ones(shape, dtype=torch.bool))

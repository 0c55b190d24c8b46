"""A small text model to export, and plain ones that break a rule."""

import torch
from tiny_texts import LABELS, NAME, SPEC, make_model, preprocess
from torch import Tensor, nn

from export.inputs import Feeds
from zoo.models.text_models import TEXT_MODELS

POSITIONS, CUT = 160, 90
VOCABULARY = SPEC.config["vocab_size"]


def text_model(**options) -> nn.Module:
    """FleS-BERT of two layers that takes 160 tokens, with a tokenizer that cuts at 90."""
    added = NAME not in TEXT_MODELS
    if added:
        TEXT_MODELS.add(NAME, SPEC)
    try:
        model = make_model(max_position_embeddings=POSITIONS, **options)
    finally:
        if added:
            del TEXT_MODELS._items[NAME]
    model.text_preprocess = preprocess(CUT)
    if model.config.num_labels == len(LABELS):
        model.config.id2label = dict(enumerate(LABELS))
    return model


def some_tokens(batch: int, length: int, seed: int = 0) -> Feeds:
    """Random tokens; every text but the last has some padding, if it is longer than one token."""
    draw = torch.Generator().manual_seed(seed + 1000 * length + batch)
    ids = torch.randint(VOCABULARY, (batch, length), generator=draw)
    mask, types = torch.ones_like(ids), torch.randint(2, ids.shape, generator=draw)
    for row in range(batch - 1):
        mask[row, max(1, length - 1 - 2 * row) :] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


class Pooled(nn.Module):
    """Embeddings, a mean over tokens and a classifier; `weigh` gives each token its share."""

    main_input_name = "input_ids"

    def __init__(self, classes: int = 2):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embedding, self.head = nn.Embedding(VOCABULARY, 8), nn.Linear(8, classes)

    def weigh(self, mask: Tensor) -> Tensor:
        return mask / mask.sum(1, keepdim=True)

    def forward(self, input_ids, attention_mask, token_type_ids):
        share = self.weigh(attention_mask.to(self.embedding.weight.dtype))
        return self.head(torch.tanh((self.embedding(input_ids) * share[:, :, None]).sum(1)))


class CountsPadding(Pooled):
    """The mistake of dividing by the length of the batch."""

    def weigh(self, mask: Tensor) -> Tensor:
        return mask / mask.shape[1]


class MixesTexts(Pooled):
    """The mistake of normalising over the batch."""

    def forward(self, input_ids, attention_mask, token_type_ids):
        logits = super().forward(input_ids, attention_mask, token_type_ids)
        return logits - logits.mean(0, keepdim=True) / 2

"""The form of a text model that becomes the leanest graph."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from export.inputs.text_input import TextLogits

# Their attention adds a mask of four axes to its scores as it is.
_TAKES_SCORES = ("bert", "fles_bert")


class _Masked(nn.Module):
    """As `TextLogits`, with the attention's mask made here: three operators in place of some twenty.

    Args:
        model: a BERT of transformers or of the zoo.
        token_mask: whether its activations are told which tokens are padding.
    """

    def __init__(self, model: nn.Module, token_mask: bool) -> None:
        super().__init__()
        self.model, self.token_mask = model, token_mask

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        kept = attention_mask.to(torch.bool)[:, None, None, :]
        # The lowest number and not -inf: a text without a token must not become NaN. Beside a real token both give 0.
        scores = torch.where(kept, 0.0, torch.finfo(torch.float32).min)
        extra = {"token_mask": attention_mask} if self.token_mask else {}
        return self.model(input_ids, attention_mask=scores, token_type_ids=token_type_ids, **extra).logits


@contextmanager
def traceable(model: nn.Module) -> Iterator[nn.Module]:
    """A module with the same outputs that traces well, for the time of one export.

    Attention is traced as plain matrix products ("eager" in transformers): its fused form becomes a longer graph,
    with checks for NaN.

    Args:
        model: as `Source.model`; all but `TextLogits` are traced as they are.
    """
    inner = model.model if isinstance(model, TextLogits) else None
    config = getattr(inner, "config", None)
    before = getattr(config, "_attn_implementation", None)
    if inner is None or before is None:
        yield model
        return
    kind = getattr(config, "model_type", "")
    inner.set_attn_implementation("eager")  # type: ignore[operator]
    try:
        yield _Masked(inner, kind == "fles_bert").eval() if kind in _TAKES_SCORES else model
    finally:
        inner.set_attn_implementation(before)  # type: ignore[operator]

"""BERT with FleS in every intermediate layer, as classes that transformers loads and saves like its own.

The positive mean of FleS runs over the tokens that `attention_mask` keeps, so neither padding nor the other texts of a
batch change an output [ours]. A mask for each query keeps a token that any query of any head may attend to, so it does
not hide tokens of one query, as causal and packed masks do, from the statistics of the others. transformers hands
keyword arguments down to the layers; `token_mask` travels that way.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertForMaskedLM,
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    BertPreTrainedModel,
)
from transformers.models.bert.modeling_bert import BertLayer, BertSelfAttention

from zoo.activations.fles import FleS
from zoo.errors import ConfigurationError, ShapeError
from zoo.first_edition import refuse_first_edition
from zoo.models.bert.configuration import FlesBertConfig
from zoo.models.decay import Undecayed


class FlesBertLayer(BertLayer):  # type: ignore[misc]
    """One BERT layer; its activation is told which tokens are padding.

    Args:
        config: of the model.
        layer_idx: its number.
    """

    def __init__(self, config: FlesBertConfig, layer_idx: int | None = None) -> None:
        super().__init__(config, layer_idx)
        self.intermediate.intermediate_act_fn = FleS(
            config.intermediate_size,
            variant=config.fles_variant,  # type: ignore[arg-type]
            hidden=config.fles_hidden,
            start=config.fles_start,  # type: ignore[arg-type]
            steepness=config.fles_steepness,
        )

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        *args: Any,
        token_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Map (n, tokens, hidden_size) to the same shape; see transformers' BertLayer.

        Args:
            hidden_states: (n, tokens, hidden_size).
            attention_mask: what the attention adds to its scores, or None.
            *args: of a decoder; not used.
            token_mask: (n, tokens), nonzero where a token counts; None counts all.
            **kwargs: handed to the attention.
        """
        for unused in ("encoder_attention_mask", "past_key_values", "use_cache"):
            kwargs.pop(unused, None)
        attended, _ = self.attention(hidden_states, attention_mask, **kwargs)
        gated = self.intermediate.intermediate_act_fn(self.intermediate.dense(attended), token_mask)
        output: Tensor = self.output(gated, attended)
        return output


class FlesBertPreTrainedModel(Undecayed, BertPreTrainedModel):  # type: ignore[misc]
    """Base class of the `fles_bert` models: their configuration class and the start values of FleS."""

    config_class = FlesBertConfig
    config: FlesBertConfig
    _no_split_modules = ["BertEmbeddings", "FlesBertLayer"]  # noqa: RUF012
    _can_record_outputs = {"hidden_states": FlesBertLayer, "attentions": BertSelfAttention}  # noqa: RUF012

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, FleS):
            module.reset_parameters()
        else:
            super()._init_weights(module)

    def _adjust_missing_and_unexpected_keys(self, loading_info: Any) -> None:
        refuse_first_edition(loading_info.unexpected_keys, self.state_dict())
        super()._adjust_missing_and_unexpected_keys(loading_info)


class FlesBertModel(FlesBertPreTrainedModel, BertModel):  # type: ignore[misc]
    """`transformers.BertModel` with FleS: embeddings, layers, pooler.

    Args:
        config: of the model.
        add_pooling_layer: whether to add BERT's pooler.

    Raises:
        ConfigurationError: the configuration is that of a decoder, or of a FleS that mixes the samples of a batch.
    """

    def __init__(self, config: FlesBertConfig, add_pooling_layer: bool = True) -> None:
        _check(config)
        super().__init__(config, add_pooling_layer)
        self.encoder.layer = nn.ModuleList(FlesBertLayer(config, i) for i in range(config.num_hidden_layers))
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """See `transformers.BertModel.forward`.

        Args:
            input_ids: (n, tokens).
            attention_mask: (n, tokens), nonzero where a token counts; (n, queries, tokens), nonzero where a query
                attends to a token, which transformers' own BERT takes no longer; or (n or 1, heads or 1, queries or 1,
                tokens), True there, or numbers that are added to the scores. None counts all.
            token_type_ids: (n, tokens).
            position_ids: (n, tokens).
            inputs_embeds: (n, tokens, hidden_size) in place of `input_ids`.
            **kwargs: as there, and `token_mask`, (n, tokens), nonzero where a token counts in the statistics; without
                it those that the attention mask leaves a weight for at least one query and head.

        Raises:
            ShapeError: the attention mask has another number of axes.
        """
        if attention_mask is not None:
            given = input_ids if inputs_embeds is None else inputs_embeds
            attention_mask, kept = self._masks(attention_mask, 1 if given is None else given.shape[0])
            kwargs.setdefault("token_mask", kept)
        return super().forward(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, **kwargs)

    def _masks(self, mask: Tensor, texts: int) -> tuple[Tensor, Tensor]:
        """The mask as the attention takes it, and (texts, tokens), nonzero where a token counts."""
        if mask.ndim == 2:
            return mask, mask
        if mask.ndim == 3:
            mask = mask.to(torch.bool).unsqueeze(1)
        if mask.ndim != 4:
            raise ShapeError(
                f"attention_mask has shape {tuple(mask.shape)}; give (n, tokens), (n, queries, tokens) or "
                "(n, heads, queries, tokens)."
            )
        if mask.dtype == torch.bool and self.config._attn_implementation == "eager":
            mask = torch.where(mask, 0.0, torch.finfo(self.dtype).min)  # it adds what it is given
        weighs = mask if mask.dtype == torch.bool else mask.float().exp() > 0
        return mask, weighs.flatten(1, 2).any(1).expand(texts, -1)


class FlesBertForSequenceClassification(FlesBertPreTrainedModel, BertForSequenceClassification):  # type: ignore[misc]
    """`transformers.BertForSequenceClassification` with FleS; logits (n, num_labels).

    Args:
        config: of the model.
    """

    def __init__(self, config: FlesBertConfig) -> None:
        super(BertForSequenceClassification, self).__init__(config)
        self.num_labels = config.num_labels
        self.bert = FlesBertModel(config)
        rate = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if rate is None else rate)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()


class _Head(FlesBertPreTrainedModel):
    """A head of BERT as it is, on a `FlesBertModel`."""

    bert: Any

    def __init__(self, config: FlesBertConfig) -> None:
        super().__init__(config)
        self.bert = FlesBertModel(config, add_pooling_layer=self.bert.pooler is not None)
        self.post_init()


class FlesBertForTokenClassification(_Head, BertForTokenClassification):  # type: ignore[misc]
    """`transformers.BertForTokenClassification` with FleS; logits (n, tokens, num_labels)."""


class FlesBertForQuestionAnswering(_Head, BertForQuestionAnswering):  # type: ignore[misc]
    """`transformers.BertForQuestionAnswering` with FleS; start and end logits, (n, tokens) each."""


class FlesBertForMultipleChoice(_Head, BertForMultipleChoice):  # type: ignore[misc]
    """`transformers.BertForMultipleChoice` with FleS; logits (n, choices)."""


class FlesBertForMaskedLM(_Head, BertForMaskedLM):  # type: ignore[misc]
    """`transformers.BertForMaskedLM` with FleS; logits (n, tokens, vocab_size) by the tied word embeddings.

    Its head has an activation of its own, the configuration's `hidden_act`, as in BERT.
    """


def _check(config: FlesBertConfig) -> None:
    if config.is_decoder or config.add_cross_attention:
        raise ConfigurationError(
            "fles_bert is an encoder; the configuration asks for a decoder (is_decoder, add_cross_attention). "
            "A causal model must not average over later tokens."
        )
    if config.fles_variant == "proto":
        raise ConfigurationError(
            'fles_variant="proto" averages over the whole batch, so a text\'s output would depend on its companions. '
            'Use "fles", "pn", "dg" or "adas".'
        )


__all__ = [
    "FlesBertForMaskedLM",
    "FlesBertForMultipleChoice",
    "FlesBertForQuestionAnswering",
    "FlesBertForSequenceClassification",
    "FlesBertForTokenClassification",
    "FlesBertModel",
    "FlesBertPreTrainedModel",
]

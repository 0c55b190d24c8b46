"""BERT with FleS in every intermediate layer, as classes that transformers loads and saves like its own.

The positive mean of FleS runs over the tokens that `attention_mask` keeps, so neither padding nor the other texts of a
batch change an output [ours]. transformers hands keyword arguments down to the layers; `token_mask` travels that way.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification, BertModel, BertPreTrainedModel
from transformers.models.bert.modeling_bert import BertLayer, BertSelfAttention

from zoo.activations import FleS
from zoo.errors import ConfigurationError
from zoo.models.bert.configuration import FlesBertConfig


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
            beta=config.fles_beta,
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


class FlesBertPreTrainedModel(BertPreTrainedModel):  # type: ignore[misc]
    """What the `fles_bert` models share: their configuration class and the start values of FleS."""

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
        # BERT's layers look their activation up by name before ours takes its place.
        name, config.hidden_act = config.hidden_act, "linear"
        try:
            super().__init__(config, add_pooling_layer)
            self.encoder.layer = nn.ModuleList(FlesBertLayer(config, i) for i in range(config.num_hidden_layers))
        finally:
            config.hidden_act = name
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """See `transformers.BertModel.forward`.

        Args:
            input_ids: (n, tokens).
            attention_mask: (n, tokens), 1 where a token counts, 0 for padding; None counts all.
            *args: as there.
            **kwargs: as there.
        """
        kwargs.setdefault("token_mask", attention_mask)
        return super().forward(input_ids, attention_mask, *args, **kwargs)


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


__all__ = ["FlesBertForSequenceClassification", "FlesBertModel", "FlesBertPreTrainedModel"]

"""Text encoders: rows of numbers for transformers' BERT with FleS, and their plain twins for comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import ConfigurationError, WeightsMismatchError, suggestion
from zoo.models.paper import FLES, Paper, Reported
from zoo.registry import Registry

if TYPE_CHECKING:
    from torch import nn

TEXT_ACTS = ("fles", "fles_dg", "fles_pn", "fles_adas", "gelu", "silu", "relu")
"""What may stand in the intermediate layers; all but FleS are transformers' own BERT."""


@dataclass(frozen=True, kw_only=True)
class TextSpec:
    """One text encoder of the zoo, with a classifier on top.

    Args:
        name: the public name.
        config: arguments of `transformers.BertConfig`.
        description: one line for listings.
        source: where the definition comes from.
        num_classes: default width of the classifier.
        act: default activation of the intermediate layers, one of `TEXT_ACTS`.
        family: `fles_bert`.
        paper: where it is from.
        twin: arguments of the network it is compared with.
        reported: what its paper reports, by task.
    """

    name: str
    config: Mapping[str, Any]
    description: str
    source: str
    num_classes: int = 2
    act: str = "fles"
    family: str = "fles_bert"
    paper: Paper = FLES
    twin: Mapping[str, str] = field(default_factory=lambda: {"act": "gelu"})
    reported: Mapping[str, Reported] = field(default_factory=dict)


TEXT_MODELS: Registry[TextSpec] = Registry("text model")


def build_text_model(
    name: str, *, num_classes: int | None = None, act: str | None = None, **options: Any
) -> "nn.Module":
    """Build a text classifier with fresh weights.

    Its forward pass takes `input_ids`, `attention_mask` and `token_type_ids`, each int64 of shape (n, tokens), and
    returns transformers' `SequenceClassifierOutput` with `logits` (n, num_classes). `model.text_spec` is its row.

    Args:
        name: one of `TEXT_MODELS`.
        num_classes: outputs of the classifier, 1 for a regression; None for the model's default.
        act: one of `TEXT_ACTS`; None for the model's default.
        **options: further fields of the configuration (`transformers.BertConfig`, `zoo.models.bert.FlesBertConfig`),
            such as `hidden_dropout_prob`, `fles_start`, `max_position_embeddings`.

    Raises:
        UnknownNameError: no such model.
        ConfigurationError: an unknown act or field, or a number of classes below 1.
    """
    spec = TEXT_MODELS.get(name)
    classes = spec.num_classes if num_classes is None else num_classes
    if not isinstance(classes, int) or classes < 1:
        raise ConfigurationError(f"{name}: num_classes={classes!r} must be an integer of 1 or more.")
    model = classifier(spec.act if act is None else act, {**spec.config, "num_labels": classes, **options}, name)
    model.text_spec = spec  # type: ignore[assignment]
    return model


def gate_of_variant(variant: str) -> str:
    """The name in `TEXT_ACTS` of a FleS variant, as a `fles_bert` configuration has it."""
    return "fles" if variant == "fles" else f"fles_{variant}"


def classifier(act: str, fields: Mapping[str, Any], asked: str) -> "nn.Module":
    """The classifier class and configuration class that belong to `act`, put together.

    Raises:
        ConfigurationError: an unknown act or configuration field.
        WeightsMismatchError: a field of the first edition of FleS.
    """
    from transformers import BertConfig, BertForSequenceClassification

    from zoo.first_edition import FIRST_EDITION
    from zoo.models.bert.configuration import FlesBertConfig
    from zoo.models.bert.modeling import FlesBertForSequenceClassification

    if act not in TEXT_ACTS:
        raise ConfigurationError(f"{asked}: act={act!r} does not fit a text encoder. {suggestion(act, TEXT_ACTS)}")
    plain = not act.startswith("fles")
    kind = BertConfig if plain else FlesBertConfig
    known = set(kind().to_dict()) | {"num_labels"}
    unknown = sorted(set(fields) - known)
    if "fles_beta" in unknown:
        raise WeightsMismatchError(f"{asked}: fles_beta belongs to {FIRST_EDITION}")
    if unknown:
        raise ConfigurationError(f"{asked} has no argument {unknown[0]!r}. {suggestion(unknown[0], known)}")
    if plain:
        twin: nn.Module = BertForSequenceClassification(BertConfig(**{**fields, "hidden_act": act}))
        return twin
    variant = act.removeprefix("fles").removeprefix("_") or "fles"
    return FlesBertForSequenceClassification(FlesBertConfig(**{**fields, "fles_variant": variant}))


TEXT_MODELS.add(
    "fles_bert_base",
    TextSpec(
        name="fles_bert_base",
        config={},
        description="BERT-base (uncased) with FleS in every intermediate layer",
        source="FleS slides (ICLR 2026), appendix C names BERT on GLUE; sizes of arXiv 1810.04805",
    ),
)
TEXT_MODELS.add(
    "fles_minilm_l6",
    TextSpec(
        name="fles_minilm_l6",
        config={
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
        },
        description="MiniLM-L6-H384 (uncased) with FleS in every intermediate layer",
        source="ours; sizes of MiniLM (arXiv 2002.10957)",
    ),
)

"""A text model with or without its weights, its tokenizer and its class names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from zoo.errors import ConfigurationError
from zoo.models.text_models import build_text_model
from zoo.weights.adapt import Wishes
from zoo.weights.architecture import name_labels
from zoo.weights.identity import Origin, set_origin, state_digest
from zoo.weights.load import load_weights, read_weights
from zoo.weights.tag import PretrainedTag

HEAD = "classifier."


def build_text(
    name: str,
    tag: PretrainedTag | None,
    files: tuple[Path | None, Path | None],
    wishes: Wishes,
    kwargs: Mapping[str, Any],
) -> nn.Module:
    """Build a text model as `create_model` was asked for it.

    Args:
        name: one of `TEXT_MODELS`.
        tag: its weights, or None for a bare architecture.
        files: weights and tokenizer, or None for fresh weights.
        wishes: what was asked for beyond the name.
        kwargs: further arguments of `build_text_model`.

    Raises:
        ConfigurationError: `in_chans` or `img_size` was asked for, or an argument does not fit the model.
        WeightsCorruptError: weights or tokenizer cannot be read.
        WeightsMismatchError: either is not the one pinned, names or shapes differ, or the card is one for images.
    """
    for key in ("in_chans", "img_size"):
        if getattr(wishes, key) is not None:
            raise ConfigurationError(
                f"{name} takes texts, so {key}={getattr(wishes, key)!r} has no meaning. Leave it out."
            )
    stored = {} if tag is None else {"num_classes": tag.num_classes, **tag.model_args}
    model: Any = build_text_model(name, **{**stored, **wishes.arguments(), **kwargs})
    model.text_preprocess = None
    if tag is None:
        return model  # type: ignore[no-any-return]
    other = wishes.num_classes not in (None, tag.num_classes)
    name_labels(model, () if other else tag.labels, model.config.num_labels)
    weights, tokenizer = files
    if weights is not None and tokenizer is not None:
        model.text_preprocess = tag.tokens.open(tokenizer)
        state, fresh = read_weights(weights, tag.sha256), set()
        origin = Origin(tag, state_digest(state))
        if other:
            state = {key: value for key, value in state.items() if not key.startswith(HEAD)}
            fresh = {key for key in model.state_dict() if key.startswith(HEAD)}
        load_weights(model, state, str(weights), skip=fresh)
        set_origin(model, origin)
    return model  # type: ignore[no-any-return]

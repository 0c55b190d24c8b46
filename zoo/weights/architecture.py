"""The model behind a tag: which registry knows its name, and how it is built with fresh weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from zoo.models.build import build_model, find_spec
from zoo.models.text_models import TextSpec, build_text_model
from zoo.weights.tag import PretrainedTag


def check_kind(tag: PretrainedTag, hint: str = "") -> None:
    """Refuse a tag whose model is unknown, or takes the other kind of input than the tag says.

    Raises:
        UnknownNameError: there is no such model.
        WeightsMismatchError: images for a text model, or texts for one of images.
    """
    _ = tag.tokens if isinstance(find_spec(tag.model, hint), TextSpec) else tag.pixels


def build_tagged(tag: PretrainedTag, device: str | None = None) -> nn.Module:
    """The model a tag is for, with fresh weights.

    Args:
        tag: names model, arguments and width; see `PretrainedTag`.
        device: where parameters are created, such as "meta" for a model that is only looked at.

    Raises:
        UnknownNameError: there is no such model, norm or act.
        ConfigurationError: the arguments do not fit the model.
        WeightsMismatchError: the model takes the other kind of input.
    """
    check_kind(tag)
    if not tag.is_text:
        arguments = {"in_chans": tag.pixels.input_size[0], "device": device, **tag.model_args}
        return build_model(tag.model, num_classes=tag.num_classes, **arguments)
    with torch.device(device or "cpu"):
        model = build_text_model(tag.model, num_classes=tag.num_classes, **tag.model_args)
    name_labels(model, tag.labels, tag.num_classes)
    return model


def name_labels(model: nn.Module, labels: Sequence[str], outputs: int) -> None:
    """Write class names and the kind of problem into a transformers model's configuration."""
    config: Any = model.config
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
    config.problem_type = "regression" if outputs == 1 else "single_label_classification"

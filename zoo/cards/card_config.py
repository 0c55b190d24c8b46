"""config.json of a card: what timm and transformers read there, with the tag under a key of our own.

For images it is timm's configuration, which transformers takes as well (`TimmWrapper`); for texts transformers' own.
"""

import json
from typing import Any

from torch import nn

from zoo.models.model_spec import MODELS
from zoo.weights.adapt import Wishes, describe
from zoo.weights.tag import TAG_KEY, PretrainedTag


def card_config(tag: PretrainedTag, model: nn.Module) -> dict[str, Any]:
    """The content of a card's config.json.

    `dtype` is float32 so that transformers computes in it, whatever the file stores.

    Args:
        tag: what the weights are.
        model: the model they are for, as `build_tagged` makes it.
    """
    values = _of_texts(model) if tag.is_text else _of_images(tag)
    return values | {"dtype": "float32", TAG_KEY: tag.to_dict()}


def _of_texts(model: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(model.config.to_json_string())
    return values | {"architectures": [type(model).__name__]}


def _of_images(tag: PretrainedTag) -> dict[str, Any]:
    """timm's form. transformers gives `num_classes` itself, so it is not among `model_args`."""
    spec, (channels, *size) = MODELS.get(tag.model), tag.pixels.input_size
    own = spec.pretrained_cfg(in_chans=channels, img_size=(size[0], size[1]), num_classes=tag.num_classes)
    described = {**own, **describe(tag, Wishes())}
    labels = described.pop("label_names")
    channels_of_model = {} if channels == spec.input_size[0] else {"in_chans": channels}
    return {
        "architecture": described.pop("architecture"),
        "num_classes": tag.num_classes,
        **({"label_names": list(labels)} if labels else {}),
        "model_args": {**tag.model_args, **channels_of_model},
        "pretrained_cfg": described,
    }

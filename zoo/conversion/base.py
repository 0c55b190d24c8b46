"""The record of a network, and the network with fresh weights that is built from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from zoo.conversion.conversion_report import Report
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.models.image_logits import CLASS_ENDING, ImageLogits
from zoo.weights.create import create_model
from zoo.weights.load import load_weights, read_weights

RECORD = "conversion.json"
"""The file of a converted folder by which it is told."""
Base = dict[str, Any]
"""{"kind": "zoo" or "timm", "name", "arguments"}, {"kind": "transformers", "class", "config"}, or
{"kind": "converted", "base", "report"}."""
KINDS = ("zoo", "timm", "transformers", "converted")
_SMALL = 10_000_000
"""Numbers of a network that may be built whatever its file holds, so that the message can name what differs."""


def build_base(base: Mapping[str, Any]) -> nn.Module:
    """The network of a record, with fresh weights; nothing is fetched.

    Raises:
        ZooError: the record is damaged, or names something this version does not have.
    """
    kind = base.get("kind")
    if kind == "zoo":
        return create_model(base["name"], pretrained=False, **base["arguments"])
    if kind == "timm":
        return timm.create_model(base["name"], pretrained=False, **base["arguments"])  # type: ignore[no-any-return]
    if kind == "transformers":
        cls = transformers_class(base["class"])
        network = cls(cls.config_class.from_dict(base["config"]))
        return ImageLogits(network) if base["class"].endswith(CLASS_ENDING) else network  # type: ignore[no-any-return]
    if kind == "converted":
        from zoo.conversion.replay import rebuild

        return rebuild(build_base(base["base"]), Report.from_dict(base["report"]))
    raise ConfigurationError(f"The record names a model of kind {kind!r}; known are {', '.join(KINDS)}.")


def build_filled(
    base: Mapping[str, Any], file: Path, sha256: str | None = None, *, keep_dtype: bool = False
) -> nn.Module:
    """The network of a record with the weights in a file.

    Args:
        base: see `Base`.
        file: its safetensors.
        sha256: what the file's hash must be, where that is known.
        keep_dtype: give the network the number type of the file, where that has one.

    Raises:
        WeightsCorruptError: the file cannot be read.
        WeightsMismatchError: it does not fit, or the network is far larger.
        ZooError: as `build_base`.
    """
    state = read_weights(file, sha256)
    check_size(base, sum(value.numel() for value in state.values()), str(file))
    model = build_base(base)
    dtypes = {value.dtype for value in state.values() if value.is_floating_point()}
    if keep_dtype and len(dtypes) == 1:
        model.to(dtypes.pop())
    load_weights(model, state, str(file))
    return model


def check_size(base: Mapping[str, Any], stored: int, source: str) -> None:
    """Refuse the record of a network that a file could not fill, before memory is taken for it.

    Args:
        base: see `Base`.
        stored: how many numbers the file holds.
        source: its name.

    Raises:
        WeightsMismatchError: the network has far more.
        ZooError: as `build_base`.
    """
    with torch.device("meta"):
        needed = sum(value.numel() for value in build_base(base).state_dict().values())
    if needed > 2 * stored + _SMALL:
        raise WeightsMismatchError(
            f"{source} holds {stored:,} numbers, and the network that its folder describes has {needed:,}. Take both "
            "from one place."
        )


def with_classes(base: Mapping[str, Any], num_classes: int) -> Base:
    """The record of the same network with another number of outputs.

    Raises:
        ConfigurationError: a network of transformers that does not classify images.
    """
    if base.get("kind") == "converted":
        return {**base, "base": with_classes(base["base"], num_classes)}
    if base.get("kind") == "transformers" and base["class"].endswith(CLASS_ENDING):
        names = {f"LABEL_{number}": number for number in range(num_classes)}
        named = {"id2label": {number: name for name, number in names.items()}, "label2id": names}
        return {**base, "config": {**base["config"], **named, "num_labels": num_classes}}
    if "arguments" not in base:
        raise ConfigurationError(f"A model of kind {base.get('kind')!r} gets no other number of classes by its record.")
    return {**base, "arguments": {**base["arguments"], "num_classes": num_classes}}


def transformers_class(name: str) -> Any:
    """A model class of transformers or of this zoo, by its name.

    Raises:
        ConfigurationError: this version of transformers has none.
    """
    import transformers

    import zoo.models.bert

    found = getattr(transformers, name, None) or getattr(zoo.models.bert, name, None)
    if found is None:
        raise ConfigurationError(
            f"transformers {transformers.__version__} has no {name}; its own code would be needed."
        )
    return found

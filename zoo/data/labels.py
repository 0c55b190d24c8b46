"""Class names: which a model has, and whether two lists mean the same classes in the same order."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zoo.data.preprocess import config_of
from zoo.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import nn


def labels_of(model: "nn.Module") -> tuple[str, ...]:
    """A model's class names by number; empty if unknown, or if the classifier they belong to was replaced.

    They stand in `pretrained_cfg["label_names"]` as timm has it, or in transformers' `config.id2label`. Those that came
    with weights belong to the classifier that came with them, however it is trained on: one put in its place has none,
    until you write other names there, or the same ones to the classifier's own attribute `label_names`. So has one with
    another number of outputs than the configuration and its names agree on; names that never fitted are for an error.

    Args:
        model: of the zoo, of timm, of transformers, or any module that says as much about itself.
    """
    names, head = _written_labels(model), classifier_of(model)
    loaded = getattr(getattr(model, "pretrained_origin", None), "tag", None)
    if loaded is not None and names == loaded.labels and getattr(head, "label_names", None) != names:
        return ()
    outputs = getattr(head, "out_features", getattr(head, "out_channels", None))
    described = config_of(model).get("num_classes", len(names) if hasattr(model, "config") else None)
    return () if outputs not in (None, described) and described == len(names) else names


def classifier_of(model: "nn.Module") -> "nn.Module | None":
    """The layer that gives the logits, where timm's `get_classifier` or transformers' `classifier` tells; else None."""
    ask: Any = getattr(model, "get_classifier", None)
    found = ask() if ask else getattr(model, "classifier", None)
    return found if hasattr(found, "forward") else None


def _written_labels(model: "nn.Module") -> tuple[str, ...]:
    """The names a model carries; transformers' LABEL_0, LABEL_1 say nothing."""
    named = getattr(getattr(model, "config", None), "id2label", None) or {}
    names = tuple(str(named[number]) for number in sorted(named))
    known = () if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names
    return tuple(config_of(model).get("label_names") or known)


def check_same_order(asked: str, first: Sequence[str], found: str, second: Sequence[str]) -> None:
    """Refuse two lists of class names that number the same classes differently, or share none.

    Names are compared without case, and only up to the first comma ("tench, Tinca tinca" is "tench"), because sources
    differ in how many synonyms they list. A name that occurs twice in a list (ImageNet has two cranes) proves nothing
    and is left out, and so is a name that only one list has. An empty list is unknown and passes.

    Args:
        asked: whose labels `first` are, for the message.
        first: class names by number.
        found: whose labels `second` are.
        second: class names by number.

    Raises:
        ConfigurationError: a common name has two numbers, or there is no common name.
    """
    if not first or not second:
        return
    ours, theirs = unique_positions(first), unique_positions(second)
    common = ours.keys() & theirs.keys()
    advice = "Evaluate on the dataset the model was trained for, with its classes in the same order."
    if not common:
        raise ConfigurationError(
            f"{asked} and {found} have no class name in common (first ones: {first[0]!r} and {second[0]!r}). {advice}"
        )
    moved = sorted((ours[name], theirs[name], name) for name in common if ours[name] != theirs[name])
    if moved:
        here, there, name = moved[0]
        raise ConfigurationError(
            f"{asked} and {found} number their classes differently: {name!r} is {here} in the first and {there} in the "
            f"second ({len(moved)} such names). {advice}"
        )


def check_standard_order(dataset: str, labels: Sequence[str]) -> None:
    """For ImageNet-1k: the class names follow the sorted WordNet ids, as every published model expects.

    Raises:
        ConfigurationError: they do not.
    """
    if dataset == "imagenet-1k":
        check_same_order("These files", labels, "the ImageNet-1k standard", imagenet_names())


def wordnet_names(folders: Sequence[str]) -> tuple[str, ...]:
    """ImageNet's class names for folders called by WordNet id (n01440764); other folder names stay."""
    known = dict(zip(imagenet_wordnet_ids(), imagenet_names(), strict=True))
    return tuple(known.get(name, name) for name in folders)


@lru_cache(maxsize=1)
def imagenet_names() -> tuple[str, ...]:
    """The 1,000 class names in the standard order, from timm."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return tuple(info.index_to_description(i, detailed=False) for i in range(info.num_classes()))


@lru_cache(maxsize=1)
def imagenet_wordnet_ids() -> tuple[str, ...]:
    """The 1,000 WordNet ids in the standard (sorted) order, from timm."""
    from timm.data import ImageNetInfo

    return tuple(ImageNetInfo("imagenet-1k").label_names())


def class_key(name: str) -> str:
    """A class name as it is compared: without case, without underscores, up to the first comma."""
    return name.split(",")[0].replace("_", " ").strip().casefold()


def unique_positions(names: Sequence[str]) -> dict[str, int]:
    """The number of each class by its `class_key`; a key that occurs twice, as ImageNet's cranes do, is left out."""
    keys = [class_key(name) for name in names]
    counts = Counter(keys)
    return {key: i for i, key in enumerate(keys) if counts[key] == 1}

"""Start of training on images: a network with fresh weights, or one with weights and a new classifier."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from zoo.conversion.base import Base, build_base, with_classes
from zoo.data.labels import classifier_of, labels_of
from zoo.data.preprocess import Preprocess, config_of, resized
from zoo.errors import ConfigurationError, RecipeError
from zoo.models.build import build_model
from zoo.names import TIMM_PREFIX, open_model, timm_name
from zoo.training.recipe import ModelRecipe


def start_network(recipe: ModelRecipe, classes: int, labels: Sequence[str] = ()) -> tuple[nn.Module, Base]:
    """The network a recipe begins with, and the record that builds its like.

    Args:
        recipe: names it, and says whether it starts from weights.
        classes: outputs of its classifier.
        labels: class names of the data; a pretrained classifier for the same ones is kept.

    Raises:
        RecipeError: the network takes texts, or its classifier cannot be replaced or found.
        ZooError: as `zoo.names.open_model` and `zoo.models.build_model`.
    """
    model, base = _pretrained(recipe, classes, labels) if recipe.pretrained else _fresh(recipe, classes)
    described = {"num_classes": classes, "label_names": tuple(labels)}
    size = recipe.img_size or config_of(model)["input_size"][-1]
    preprocess = resized(config_of(model), Preprocess.of(model), size, recipe.name)
    model.pretrained_cfg = {**config_of(model), **preprocess.to_dict(), **described}  # type: ignore[assignment]
    if recipe.freeze == "backbone":
        freeze_backbone(model, recipe.name)
    return model, base


def _fresh(recipe: ModelRecipe, classes: int) -> tuple[nn.Module, Base]:
    size: dict[str, Any] = {"img_size": recipe.img_size} if recipe.img_size else {}
    if recipe.name.startswith(TIMM_PREFIX) or timm_name(recipe.name):
        if recipe.norm or recipe.act:
            raise RecipeError(f"model.norm, model.act: parts of a model of timm cannot be chosen: {recipe.name}.")
        arguments = {**recipe.args, "num_classes": classes}
        base: Base = {"kind": "timm", "name": recipe.name.removeprefix(TIMM_PREFIX), "arguments": arguments}
        return build_base(base), base
    model = build_model(recipe.name, num_classes=classes, norm=recipe.norm, act=recipe.act, **size, **recipe.args)
    parts = {key: value for key, value in (("norm", recipe.norm), ("act", recipe.act)) if value is not None}
    arguments = {"num_classes": classes, **parts, **size, **recipe.args}
    return model, {"kind": "zoo", "name": recipe.name, "arguments": arguments}


def _pretrained(recipe: ModelRecipe, classes: int, labels: Sequence[str]) -> tuple[nn.Module, Base]:
    named = open_model(recipe.name, img_size=recipe.img_size or None)
    model, base = named.model.float(), named.base
    if not config_of(model):
        raise RecipeError(f"model.name: {recipe.name} takes no images; texts are fine-tuned by a recipe for texts.")
    if tuple(labels) != labels_of(model) or not labels:
        reset: Any = getattr(model, "reset_classifier", None)
        if reset is None:
            raise RecipeError(f"model.name: {recipe.name} has no classifier that can be replaced (reset_classifier).")
        reset(classes)
        base = with_classes(base, classes)
    fixed = recipe.img_size and config_of(model).get("fixed_input_size") and "arguments" in base
    return model, {**base, "arguments": {**base["arguments"], "img_size": recipe.img_size}} if fixed else base


def freeze_backbone(model: nn.Module, name: str) -> None:
    """Let only the classifier learn.

    Raises:
        ConfigurationError: the model does not say which part is its classifier.
    """
    head = classifier_of(model)
    if head is None or not any(True for _ in head.parameters()):
        raise ConfigurationError(f"model.freeze: {name} does not say which part is its classifier (get_classifier).")
    model.requires_grad_(False)
    head.requires_grad_(True)

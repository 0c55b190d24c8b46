"""Kinds that `zoo list` can list: the names of each, and a row of facts about one; loaded when asked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

Row = dict[str, Any]
ELSEWHERE = "not on the Hub yet"
"""Said of weights whose card is here and which are neither here nor to be fetched."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Args:
        names: the names of all, in order.
        row: the facts about one, by column.
    """

    names: Callable[[], Iterable[str]]
    row: Callable[[str], Row]


def _model_names() -> list[str]:
    from zoo.models.build import list_models

    return list_models()


def _model(name: str) -> Row:
    from zoo.models.build import find_spec
    from zoo.models.text_models import TextSpec

    spec = find_spec(name)
    text = isinstance(spec, TextSpec)
    return {
        "name": spec.name,
        "input_size": None if isinstance(spec, TextSpec) else list(spec.input_size),
        "num_classes": spec.num_classes,
        "norm": "layernorm" if text else getattr(spec, "norm", None),
        "act": spec.act,
        "parameters": _parameters(name),
        "description": spec.description,
    }


@cache
def _parameters(model: str) -> int:
    """Counted on a model without storage."""
    from zoo.models.build import build_model

    return sum(parameter.numel() for parameter in build_model(model, device="meta").parameters())


def _weight_names() -> list[str]:
    from zoo.weights.locate import list_pretrained

    return list_pretrained()


def _weight(name: str) -> Row:
    from zoo.card_folders import card_folder, root_of
    from zoo.weights.locate import resolve

    tag = resolve(name)
    measured = (tag.results.get("evaluations") or [{}])[0]
    folder = card_folder(name)
    file = folder / tag.file
    return {
        "name": name,
        "trained_on": tag.dataset,
        "num_classes": tag.num_classes,
        "top1": measured.get("top1"),
        "top5": measured.get("top5"),
        "metrics": measured.get("metrics"),
        "size_bytes": file.stat().st_size if file.is_file() else None,
        "license": tag.license,
        "where": root_of(folder) if file.is_file() else f"Hub: {tag.repo}" if tag.revision else ELSEWHERE,
    }


def _activation_names() -> list[str]:
    from zoo.activations.spec import ACTIVATIONS

    return list(ACTIVATIONS)


def _activation(name: str) -> Row:
    from zoo.activations.spec import ACTIVATIONS

    spec = ACTIVATIONS.get(name)
    return {"name": spec.name, "role": spec.role, "formula": spec.formula, "source": spec.source}


def _dataset_names() -> list[str]:
    from zoo.data.image_dataset import DATASETS

    return list(DATASETS)


def _dataset(name: str) -> Row:
    from zoo.data.image_dataset import DATASETS

    spec = DATASETS.get(name)
    return {"name": name, "hub_id": spec.hub_id, "splits": list(spec.splits), "description": spec.description}


def _task_names() -> list[str]:
    from zoo.data.glue import GLUE

    return list(GLUE)


def _task(name: str) -> Row:
    from zoo.data.glue import GLUE

    spec = GLUE.get(name)
    return {"name": name, "labels": list(spec.labels), "metrics": list(spec.metrics), "description": spec.description}


def _recipe_names() -> list[str]:
    from zoo.console.completion import finetune_recipes, recipes

    return [*recipes(), *finetune_recipes()]


def _recipe(name: str) -> Row:
    from zoo.console.completion import recipes
    from zoo.training.parse import load_recipe
    from zoo.training.texts.finetuning_recipe import load_finetune_recipe

    program = "train" if name in recipes() else "finetune"
    recipe: Any = load_recipe(name) if program == "train" else load_finetune_recipe(name)
    return {
        "name": name,
        "command": f"zoo {program} {name}",
        "source": recipe.source,
        "description": recipe.description,
    }


KINDS: dict[str, Kind] = {
    "models": Kind(_model_names, _model),
    "weights": Kind(_weight_names, _weight),
    "activations": Kind(_activation_names, _activation),
    "datasets": Kind(_dataset_names, _dataset),
    "tasks": Kind(_task_names, _task),
    "recipes": Kind(_recipe_names, _recipe),
}

"""Names for shell completion, without importing what defines them: that takes seconds, a Tab key must not.

Cards and recipes are files, so their names are read from folders. Models, activations and normalisation sites are
registered by code that imports torch; their names are kept in names.json beside this file. A test compares it with the
registries, and `python -m zoo.commands._names` writes it anew.
"""

import json
from functools import cache
from pathlib import Path

from zoo._files import cards_root

_PACKAGE = Path(__file__).resolve().parent.parent
NAMES = Path(__file__).with_name("names.json")


def models() -> list[str]:
    """Models for images and texts."""
    return _stored()["models"]


def gates() -> list[str]:
    """What `act=` takes."""
    return _stored()["gates"]


def activations() -> list[str]:
    """Everything `zoo list activations` names."""
    return _stored()["activations"]


def norms() -> list[str]:
    """What `norm=` takes."""
    return _stored()["norms"]


def tags() -> list[str]:
    """Published weights, MODEL.TAG."""
    return sorted(file.parent.name for file in cards_root().glob("*/config.json"))


def models_and_tags() -> list[str]:
    """What `zoo.create_model` takes by name."""
    return [*tags(), *models()]


def image_tags() -> list[str]:
    """Published weights of models for images: a text model's folder has a tokenizer as well."""
    return [name for name in tags() if not (cards_root() / name / "tokenizer_config.json").is_file()]


def recipes() -> list[str]:
    """Recipes of `zoo train`."""
    return sorted(file.stem for file in (_PACKAGE / "training" / "recipes").glob("*.toml"))


def finetune_recipes() -> list[str]:
    """Recipes of `zoo finetune`."""
    return sorted(file.stem for file in (_PACKAGE / "finetuning" / "recipes").glob("*.toml"))


@cache
def _stored() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(NAMES.read_text(encoding="utf-8"))
    return found


def registered() -> dict[str, list[str]]:
    """What names.json must hold, from the registries."""
    from zoo.activations import list_activations, list_gates
    from zoo.models import NORMS, list_models

    return {
        "models": list_models(),
        "gates": list(list_gates()),
        "activations": list(list_activations()),
        "norms": list(NORMS),
    }


if __name__ == "__main__":
    from zoo._files import write_json

    write_json(NAMES, registered())

"""Names for shell completion that are files: cards and recipes. Listing a folder is quick enough for a Tab key.

Models, activations and normalisation sites are registered by code that imports torch, which takes seconds; they are not
completed, and `zoo list` names them.
"""

from pathlib import Path

from zoo.card_folders import card_folder, card_names

_PACKAGE = Path(__file__).resolve().parent.parent


def tags() -> list[str]:
    """Published weights, MODEL.TAG."""
    return card_names()


def image_tags() -> list[str]:
    """Published weights of models for images: a text model's folder has a tokenizer as well."""
    return [name for name in tags() if not (card_folder(name) / "tokenizer_config.json").is_file()]


def recipes() -> list[str]:
    """Recipes of `zoo train`."""
    return sorted(file.stem for file in (_PACKAGE / "training" / "recipes").glob("*.toml"))


def finetune_recipes() -> list[str]:
    """Recipes of `zoo finetune`."""
    return sorted(file.stem for file in (_PACKAGE / "training" / "texts" / "recipes").glob("*.toml"))


def finetune_names() -> list[str]:
    """What `zoo finetune` takes that can be listed: weights for images, and recipes for texts."""
    return [*image_tags(), *finetune_recipes()]

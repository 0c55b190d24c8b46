"""`finetune`: a model learns the classes of one's own data, from the weights it has."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.card_folders import card_folder
from zoo.data.own_texts import OWN
from zoo.errors import RecipeError
from zoo.models.image_logits import takes_images
from zoo.models.text_models import TEXT_MODELS, gate_of_variant
from zoo.training.images.loop import CHECKPOINT
from zoo.training.images.train_images import TrainResult, train
from zoo.training.parse import list_recipes, load_recipe, read_recipe
from zoo.training.recipe import Recipe
from zoo.training.texts.finetune_texts import FinetuneResult, finetune_texts, text_run_folder
from zoo.training.texts.finetuning_recipe import FinetuneRecipe, list_finetune_recipes, load_finetune_recipe
from zoo.training.texts.resume_finetuning import find
from zoo.weights.tag import CONFIG_FILE, read_json

IMAGES, TEXTS = "finetune_images", "glue"
"""The recipes for images and for texts where none is named."""
_IMAGE_FIELDS = {
    "epochs": "schedule.epochs",
    "lr": "optimizer.lr",
    "batch_size": "data.batch_size",
    "seed": "runtime.seed",
    "freeze": "model.freeze",
    "img_size": "model.img_size",
    "dataset": "data.dataset",
    "patience": "schedule.patience",
}
_TEXT_FIELDS = {
    "epochs": "schedule.epochs",
    "lr": "optimizer.lr",
    "batch_size": "runtime.batch_size",
    "seed": "runtime.seed",
    "task": "data.task",
    "act": "model.act",
    "start": "model.start",
}


def finetune(
    model: str | Path | Recipe | FinetuneRecipe,
    data: str | Path | None = None,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    show_progress: bool = True,
    tensorboard: bool = False,
    settings: Sequence[str] = (),
    **fields: Any,
) -> TrainResult | FinetuneResult:
    """Teach a network new classes; the same call with `resume=True` goes on after a kill.

    Images: `finetune("salunet_c18_cifar.cifar10", "photos/")`, one folder per class, with or without folders train and
    val above. Texts: `finetune("fles_minilm_l6.sst2", "reviews.csv")`, with columns text, text_pair and
    label; or a task of GLUE, `finetune("glue", task="rte")`. The run's folder then is a name of the model.

    Args:
        model: any name of a model: for images it is fine-tuned by the recipe `finetune_images`, for texts by `glue`;
            or a recipe: an object, a shipped name, or a .toml or .json file.
        data: local folder of the data; None fetches it from the Hub.
        output: folder of the run; None takes one below runs/ that is named after model and data.
        resume: go on from the folder's checkpoint.
        device: "cpu", "cuda", ...; None takes the best available.
        show_progress: draw a bar, or lines where there is no terminal.
        tensorboard: write events for TensorBoard into the run's folder; for images.
        settings: changes of the recipe, "table.field=value" each.
        **fields: the same by short names. Images: epochs, lr, batch_size, seed, freeze, img_size, dataset, patience;
            texts: epochs, lr, batch_size, seed, task, act, start.

    Raises:
        ZooError: as `zoo.train` for images, and for texts as `finetune_texts`.
    """
    recipe = choose_recipe(model, settings, fields)
    where = {"data": data, "resume": resume, "device": device, "show_progress": show_progress}
    if isinstance(recipe, FinetuneRecipe):
        if tensorboard:
            raise RecipeError("tensorboard: transformers' Trainer logs texts into summary.json; it is for images here.")
        return finetune_texts(recipe, output=output, **where)  # type: ignore[arg-type]
    return train(recipe, output=run_folder(recipe, data, output), tensorboard=tensorboard, **where)  # type: ignore[arg-type]


def choose_recipe(
    model: str | Path | Recipe | FinetuneRecipe, settings: Sequence[str] = (), fields: Mapping[str, Any] | None = None
) -> Recipe | FinetuneRecipe:
    """The recipe that `finetune` follows.

    Raises:
        RecipeError: a field is wrong, or is one of the other kind of data; or the recipe starts from fresh weights.
    """
    given = {name: value for name, value in (fields or {}).items() if value is not None}
    if isinstance(model, Recipe | FinetuneRecipe):
        if given or settings:
            raise RecipeError(f"A recipe object is complete; change it by dataclasses.replace, not by {[*given]}.")
        return model
    name = str(model)
    if _is_text_recipe(name):
        return load_finetune_recipe(name, [*settings, *_changes(_TEXT_FIELDS, given, "texts")])
    named = name in list_recipes() or name.endswith((".toml", ".json"))
    text = None if named else _text_start(name)
    if text is not None:
        usual = [] if "task" in given else [f"data.task={OWN}"]
        return load_finetune_recipe(TEXTS, [*text, *usual, *settings, *_changes(_TEXT_FIELDS, given, "texts")])
    start = [] if named else [f"model.name={name}"]
    recipe = load_recipe(name if named else IMAGES, [*start, *settings, *_changes(_IMAGE_FIELDS, given, "images")])
    if not recipe.model.pretrained:
        raise RecipeError(
            f"Recipe {name!r} starts from fresh weights: zoo train {shlex.quote(name)}, or set model.pretrained=true."
        )
    return recipe


def _text_start(name: str) -> list[str] | None:
    """The fields of a recipe that start from a text model of any name; None for a model that takes images.

    Raises:
        RecipeError: it is one of neither, or has sizes of none of the zoo's encoders.
    """
    card = card_folder(name)
    place = card if (card / CONFIG_FILE).is_file() else Path(name).expanduser()
    if not (place / CONFIG_FILE).is_file():
        if name in TEXT_MODELS:
            raise RecipeError(f"{name} has no weights of that name: name a tag, or zoo finetune glue --start PLACE.")
        return None
    config = read_json(place / CONFIG_FILE)
    if not isinstance(config, dict) or "model_type" not in config or takes_images(config):
        return None
    if config["model_type"] not in ("bert", "fles_bert"):
        raise RecipeError(f"{name} is a {config['model_type']} of transformers; texts are fine-tuned from a BERT.")
    plain = config["model_type"] == "bert"
    gate = config.get("hidden_act", "gelu") if plain else gate_of_variant(config.get("fles_variant", "fles"))
    usual = {"hidden_size": 768, "num_hidden_layers": 12}  # of a BERT that does not say
    fitting = [
        model
        for model in TEXT_MODELS
        if all({**usual, **TEXT_MODELS.get(model).config}[key] == config.get(key, usual[key]) for key in usual)
    ]
    if not fitting:
        raise RecipeError(f"{name} has the size of none of the zoo's encoders ({', '.join(TEXT_MODELS)}).")
    return [f"model.name={fitting[0]}", f"model.act={gate}", f"model.start={json.dumps(str(place))}"]


def _is_text_recipe(name: str) -> bool:
    if name in list_finetune_recipes():
        return True
    return name.endswith((".toml", ".json")) and "task" in (read_recipe(Path(name)).get("data") or {})


def _changes(names: Mapping[str, str], given: Mapping[str, Any], kind: str) -> list[str]:
    unknown = sorted(given.keys() - names.keys())
    if unknown:
        raise RecipeError(f"{', '.join(unknown)}: not for {kind}; for {kind} there are {', '.join(names)}.")
    return [f"{names[key]}={value}" for key, value in given.items()]


def run_folder(recipe: Recipe | FinetuneRecipe, data: str | Path | None, output: str | Path | None) -> Path:
    """The folder of a run: the one asked for, or one below runs/ named after the recipe, or the model and the data."""
    if isinstance(recipe, FinetuneRecipe):
        return text_run_folder(recipe, output)
    return Path(output) if output is not None else Path("runs") / _run_name(recipe, data)


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that a run of either kind would go on from."""
    if (folder / CHECKPOINT).exists():
        return folder / CHECKPOINT
    found = find(folder)
    return found.folder if found else None


def _run_name(recipe: Recipe, data: str | Path | None) -> str:
    model = Path(recipe.model.name).name if "/" in recipe.model.name else recipe.model.name
    source = Path(data).absolute().name if data is not None else recipe.data.dataset.rpartition("/")[2]
    return f"{model}_{source}".replace(":", "_").replace("@", "_")

"""Additions of `zoo adopt` and `zoo card` to a card: figures, baselines, notes, and what follows from them."""

import copy
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.weights.tag import PretrainedTag


@dataclass(frozen=True)
class Additions:
    """Additions by a user to a card.

    Args:
        evaluations: JSON files of `zoo evaluate --output`; one of the same kind as a stored one replaces it.
        baselines: folders of runs or of cards.
        notes: sentences.
    """

    evaluations: tuple[Path, ...] = ()
    baselines: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def complete_card(folder: Path, added: Additions) -> Path:
    """Add to a card, fill in what follows from what it stores, and render it anew.

    Raises:
        ZooError: a file is no result of this card; a baseline is none; see `zoo.pretrained.refresh_card`.
    """
    from zoo.cards.baseline import baseline
    from zoo.cards.card import refresh_card
    from zoo.weights.tag import read_tag

    tag = read_tag(folder)
    results = copy.deepcopy(dict(tag.results))
    for file in added.evaluations:
        results["evaluations"] = _with_evaluation(results.get("evaluations", []), _evaluation(file, tag), tag)
    for place in added.baselines:
        entry = baseline(place, results.get("training") or {})
        others = [row for row in results.get("comparisons", []) if row["label"] != entry["label"]]
        results["comparisons"] = [entry, *others]
    notes = [*results.get("notes", []), *(note for note in added.notes if note not in results.get("notes", []))]
    if notes:
        results["notes"] = notes
    return refresh_card(folder, _with_commands(results, tag))


def _evaluation(file: Path, tag: "PretrainedTag") -> dict[str, Any]:
    """A stored result, checked to be of this card's weights or of a file exported from them."""
    from zoo.errors import ConfigurationError
    from zoo.evaluation.result import EvalResult, TextResult
    from zoo.weights.identity import check_result
    from zoo.weights.tag import read_json

    values = read_json(file)
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{file} holds no result of `zoo evaluate`.")
    result = (TextResult if tag.is_text else EvalResult).from_dict(values)
    check_result(values, tag, str(file))
    return _portable(result.to_dict(), tag)


def _portable(result: dict[str, Any], tag: "PretrainedTag") -> dict[str, Any]:
    """The result without this machine's folders: weights by their name, a file by its own, data by two folders."""
    from zoo.cards.results import portable

    name = Path(result["model"]).name if result["model"].endswith(".onnx") else tag.name
    if result["command"]:
        program, verb, _, *options = shlex.split(result["command"])
        result["command"] = shlex.join([program, verb, name, *portable(options)])
    if "file" in result["runtime"]:
        result["runtime"] = {**result["runtime"], "file": Path(result["runtime"]["file"]).name}
    return {**result, "model": name, "source": portable(result["source"])}


def _with_evaluation(stored: list[Any], new: dict[str, Any], tag: "PretrainedTag") -> list[Any]:
    """The evaluations with a new one: in the place of one with the same data, runtime, size and number of samples."""

    def kind(result: Mapping[str, Any]) -> str:
        runtime = {key: result["runtime"].get(key) for key in ("kind", "target")}
        size = result.get("preprocess", {}).get("input_size")
        told = [runtime, size, *(result.get(key) for key in ("dataset", "split", "limit", "precision"))]
        return json.dumps(told, sort_keys=True)

    if any(kind(result) == kind(new) for result in stored):
        return [new if kind(result) == kind(new) else result for result in stored]
    first = new["runtime"].get("kind") == "torch" and not any(r["runtime"].get("kind") == "torch" for r in stored)
    return [new, *stored] if first else [*stored, new]


def _with_commands(results: dict[str, Any], tag: "PretrainedTag") -> dict[str, Any]:
    """The results with the commands that repeat the run and its baselines, where they can be said."""
    training = results.get("training")
    if not training:
        return results
    command = _command(tag, training.get("recipe") or {}, training)
    training = {key: value for key, value in training.items() if key not in ("command", "energy")}
    results["training"] = ({"command": command} if command else {}) | training
    for row in results.get("comparisons", []):
        if "recipe_changes" in row:
            found = _command(tag, _changed(training.get("recipe") or {}, row["recipe_changes"]), training)
            row.pop("command", None)
            row |= {"command": found} if found else {}
    return results


def _command(tag: "PretrainedTag", recipe: Mapping[str, Any], training: Mapping[str, Any]) -> str | None:
    from zoo.training.reproduce import reproduce

    if not tag.is_text:
        return reproduce(tag.recipe, recipe)
    from zoo.training.texts.finetuning_recipe import load_finetune_recipe

    # A folder on the machine that ran it says nothing elsewhere; the Hub's name of the same weights does.
    start = {"start": training["base_model"]} if training.get("base_model") else {}
    named = {**recipe, "model": {**recipe.get("model", {}), **start}}
    return reproduce(tag.recipe, named, "finetune", load_finetune_recipe)


def _changed(recipe: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with changed fields, named with dots; a field changed to None goes."""
    from zoo.cards.markdown import flat

    fields = {**dict(flat(recipe)), **changes}
    made: dict[str, Any] = {}
    for name, value in fields.items():
        *tables, last = name.split(".")
        place = made
        for table in tables:
            place = place.setdefault(table, {})
        if value is not None:
            place[last] = value
    return made

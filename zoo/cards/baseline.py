"""Another run beside a card's own: the baseline of its comparison, with its log and what its recipe changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.cards.markdown import flat
from zoo.cards.runs import training_record
from zoo.errors import ConfigurationError
from zoo.models.build import find_spec
from zoo.weights.tag import CONFIG_FILE, read_tag

_WORDS = {"batchnorm": "BatchNorm", "layernorm": "LayerNorm", "groupnorm": "GroupNorm", "dyt": "DyT", "derf": "Derf"}
_WORDS |= {"salu": "SALU", "swalu": "SWALU", "galu": "GALU", "relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}


def baseline(folder: str | Path, main: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of `comparisons` from another run: its label, its Top-1, its log, and what its recipe changes.

    Args:
        folder: of a finished `zoo train` run, whose Top-1 is the last one it measured itself; or the card of one, with
            the figures that `zoo evaluate` found.
        main: the part `training` of the card it stands beside.

    Raises:
        WeightsNotFoundError: it is neither.
        ConfigurationError: it has no Top-1, or saw other data than `main`.
    """
    place = Path(folder)
    if (place / CONFIG_FILE).is_file():
        results = read_tag(place).results
        record, measured = dict(results.get("training") or {}), results.get("evaluations") or []
        found = measured[0] if measured else {}
        figures = {key: found[key] for key in ("top1", "top5") if found.get(key) is not None}
        how = "measured by `zoo evaluate`"
    else:
        record = training_record(place)
        last = record["log"][-1] if record["log"] else {}
        key = "val_top1_ema" if record["weights"] == "ema" and "val_top1_ema" in last else "val_top1"
        figures = {"top1": last[key]} if key in last else {}
        how = _own_measure(record, main, key)
    recipe, ours = record.get("recipe") or {}, main.get("recipe") or {}
    if "top1" not in figures:
        raise ConfigurationError(f"{place} has no Top-1 to compare with. Let the run end, or evaluate its card.")
    if recipe.get("data", {}).get("dataset") != ours.get("data", {}).get("dataset"):
        raise ConfigurationError(f"{place} was trained on other data than the card; it is no baseline of it.")
    changes = {key: value for key, value in differing(ours, recipe).items() if key not in ("description", "source")}
    same = all(key.startswith("model.") for key in changes)
    label = f"{_parts(recipe)}, {'same recipe' if same else 'recipe changed'}"
    kept = {"seconds": record.get("seconds"), "device": record.get("device"), "recipe_changes": changes}
    return {"label": label, **figures, "note": how, **kept, "log": record.get("log", [])}


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted fields of two recipes that differ, with their values in the second; None where it has no such field."""
    first, second = dict(flat(ours)), dict(flat(theirs))
    return {key: second.get(key) for key in dict.fromkeys((*first, *second)) if first.get(key) != second.get(key)}


def _own_measure(record: Mapping[str, Any], main: Mapping[str, Any], key: str) -> str:
    """Describe how a run measured itself, and what the card's own run measured in the same way."""
    precision = (record.get("recipe") or {}).get("runtime", {}).get("precision", "float32")
    how = f"measured at the end of its run in {precision}"
    own = next((row[key] for row in reversed(main.get("log") or []) if row.get(key) is not None), None)
    return how if own is None else f"{how}, where this checkpoint had {own:.2f}"


def _parts(recipe: Mapping[str, Any]) -> str:
    """The parts of a model in words, such as `BatchNorm + ReLU`."""
    model = recipe.get("model") or {}
    spec = find_spec(model.get("name", ""))
    norm, act = str(model.get("norm") or getattr(spec, "norm", "layernorm")), str(model.get("act") or spec.act)
    return f"{_WORDS.get(norm, norm)} + {_WORDS.get(act, act)}"

"""The command line that repeats a run: the shipped recipe of its name, and `--set` for every field that differs."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from zoo.errors import RecipeError
from zoo.training.parse import load_recipe

# Words about a recipe, not part of it.
_WORDS = ("description", "source", "name")

Load = Callable[[str, list[str]], Any]


def reproduce(
    name: str | None, recipe: Mapping[str, Any], program: str = "train", load: Load = load_recipe
) -> str | None:
    """The command that runs `recipe`, or None where no shipped recipe leads to it.

    What it says is checked: the command's recipe is read again and must have the value of every field of `recipe`.
    Fields that `recipe` lacks, because it was stored by an older version, keep what the shipped one says.

    Args:
        name: of the shipped recipe it was made from.
        recipe: all its fields, as `Recipe.to_dict` gives them.
        program: `train` or `finetune`.
        load: reads a shipped recipe of that kind with overrides.
    """
    if name is None:
        return None
    try:
        sets = _changes(load(name, []).to_dict(), recipe)
        made = load(name, sets).to_dict()
    except RecipeError:
        return None
    wanted = {key: value for key, value in recipe.items() if key not in _WORDS}
    parts = [key for key in ("norm", "act") if made["model"].get(key) is not None and not wanted["model"].get(key)]
    if parts or not _holds(_plain(made), _plain(wanted)):
        return None
    return shlex.join(["zoo", program, name, *(part for change in sets for part in ("--set", change))])


def _changes(shipped: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`field=value` for each difference; a table whose fields were added or removed is set as a whole."""
    found: list[str] = []
    for key, value in wanted.items():
        if not prefix and key in _WORDS:
            continue
        there = shipped.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping) and (not prefix or there.keys() == value.keys()):
            found += _changes(there, value, f"{prefix}{key}.")
        elif _plain(there) != _plain(value):
            found.append(f"{prefix}{key}={_toml(value)}")
    return found


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line; plain text without quotes."""
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z][\w.-]*", value) and value not in ("true", "false", "inf", "nan")
        return value if plain else json.dumps(value)
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_inline(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)


def _plain(value: Any) -> Any:
    """With lists for tuples, as JSON has them."""
    return json.loads(json.dumps(value))


def _holds(made: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(made, dict) and all(key in made and _holds(made[key], item) for key, item in wanted.items())
    return bool(made == wanted)

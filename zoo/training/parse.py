"""Recipes from TOML (or the JSON a run leaves behind), strictly: every wrong field, type and value is named."""

import json
import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from zoo.errors import RecipeError, suggestion
from zoo.training.images.recipe_checks import check_recipe
from zoo.training.recipe import Recipe

_FOLDER = Path(__file__).parent / "recipes"
Kind = TypeVar("Kind")


def list_recipes() -> list[str]:
    """Names of the shipped recipes, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a .toml or .json file.

    Args:
        name_or_path: a name of `list_recipes()`, or a path that ends in .toml or .json.
        overrides: "table.field=value" each; the value is written as in TOML, quotes around text may be left out.

    Raises:
        RecipeError: the recipe is unknown or unreadable; or it has unknown, missing, ill-typed, out-of-range or
            contradicting fields, all named in one message.
    """
    return load_table(Recipe, _FOLDER, name_or_path, overrides, check_recipe)


def load_table(
    kind: type[Kind],
    folder: Path,
    name_or_path: str | Path,
    overrides: Sequence[str],
    check: Callable[[Kind], list[str]],
) -> Kind:
    """Read a recipe of any kind: a frozen dataclass with a field `name`, which the file's name fills.

    Args:
        kind: the dataclass.
        folder: where the shipped recipes of this kind are.
        name_or_path: as for `load_recipe`.
        overrides: likewise.
        check: names the contradictions of a recipe whose fields are all right.

    Raises:
        RecipeError: as `load_recipe` does.
    """
    path, known = Path(name_or_path), sorted(file.stem for file in folder.glob("*.toml"))
    if path.suffix not in (".toml", ".json"):
        if str(name_or_path) not in known:
            found = suggestion(str(name_or_path), known)
            raise RecipeError(f"Unknown recipe {str(name_or_path)!r}. {found} Or give a .toml file.")
        path = folder / f"{name_or_path}.toml"
    table = read_recipe(path, known)
    for override in overrides:
        _apply(table, override)
    problems: list[str] = []
    recipe = _build(kind, {**table, "name": path.stem}, "", problems)
    if not problems:
        problems = check(recipe)
    if problems:
        raise RecipeError(f"Recipe {str(name_or_path)!r} cannot be used:\n  " + "\n  ".join(problems))
    return recipe  # type: ignore[no-any-return]


def read_recipe(path: Path, known: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of a .toml or .json file, unchecked.

    Raises:
        RecipeError: it cannot be read; `known` names are offered.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise RecipeError(f"Cannot read the recipe {path}: {error.strerror}. Known: {', '.join(known)}.") from error
    except ValueError as error:
        raise RecipeError(f"Cannot read the recipe {path}: {error}.") from error
    if not isinstance(table, dict):
        raise RecipeError(f"Cannot read the recipe {path}: it holds {type(table).__name__}, not tables.")
    return table


def _apply(table: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not separator or not last:
        raise RecipeError(f"Cannot apply {override!r}: write table.field=value, for example schedule.epochs=2.")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"Cannot apply {override!r}: {parent!r} is a value, not a table.")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text.strip()


def _build(kind: type, table: dict[str, Any], where: str, problems: list[str]) -> Any:
    """Make the dataclass `kind` from `table`; what is wrong is appended to `problems` and the result then unusable."""
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}
    for key in table.keys() - known.keys():
        problems.append(f"{where + key}: unknown field. {suggestion(where + key, [where + name for name in known])}")
    values = {}
    for name, item in known.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], where + name, problems)
            _check_range(values[name], item.metadata, where + name, problems)
        elif item.default is MISSING and item.default_factory is MISSING:
            problems.append(f"{where + name}: is required and missing.")
    return None if problems else kind(**values)


def _convert(kind: Any, value: Any, where: str, problems: list[str]) -> Any:
    """Return `value` as type `kind`, or name the mismatch."""
    origin = get_origin(kind)
    if is_dataclass(kind) and isinstance(value, dict):
        return _build(kind, value, where + ".", problems)  # type: ignore[arg-type]
    if origin is Literal and value in get_args(kind):
        return value
    if origin is UnionType:
        return _convert(next(k for k in get_args(kind) if k is not NoneType), value, where, problems)
    if origin is tuple and isinstance(value, (list, tuple)):
        inner = get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) == len(value):
            pairs = zip(kinds, value, strict=True)
            return tuple(_convert(k, v, f"{where}[{i}]", problems) for i, (k, v) in enumerate(pairs))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = dict if origin is dict else kind
    if isinstance(plain, type) and isinstance(value, plain) and not (isinstance(value, bool) and plain is not bool):
        return value
    problems.append(f"{where}: {value!r} is {_type_name(type(value))}; wanted {_type_name(kind)}.")
    return value


def _check_range(value: Any, bounds: Any, where: str, problems: list[str]) -> None:
    if "low" not in bounds or isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    if not (bounds["low"] <= value <= bounds["high"] and math.isfinite(value)):
        limit = f"at least {bounds['low']}" if math.isinf(bounds["high"]) else f"in {bounds['low']}..{bounds['high']}"
        problems.append(f"{where}: {value} is out of range; wanted {limit}.")


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if is_dataclass(kind):
        return "a table"
    names = {int: "an integer", float: "a number", str: "text", bool: "true or false", list: "a list", dict: "a table"}
    return names.get(kind) or str(kind).replace("tuple", "list")

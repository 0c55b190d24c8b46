"""Recipes from TOML (or the JSON a run leaves behind), strictly: every wrong field, type and value is named."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import ErrorDetails

from zoo.documents import LARGEST, json_of, toml_of
from zoo.errors import RecipeError, suggestion
from zoo.records import UNKNOWN, attempt, place_of, reason_of, schema_of
from zoo.regular import read_limited
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
    recipe, errors = attempt(kind, {**table, "name": path.stem})
    problems = [_in_words(error, kind) for error in errors] if errors else check(recipe)
    if problems:
        raise RecipeError(f"Recipe {str(name_or_path)!r} cannot be used:\n  " + "\n  ".join(problems))
    return recipe  # type: ignore[no-any-return]


def read_recipe(path: Path, known: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of a .toml or .json file, unchecked.

    Raises:
        RecipeError: it cannot be read; `known` names are offered.
    """
    try:
        content = read_limited(path, LARGEST)
        table = toml_of(content.decode("utf-8")) if path.suffix == ".toml" else json_of(content)
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
        table[last] = toml_of(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text.strip()
    except ValueError as error:
        raise RecipeError(f"Cannot apply {override[:80]!r}: {error}.") from error


def _in_words(error: ErrorDetails, kind: type) -> str:
    where = place_of(error)
    if error["type"] in UNKNOWN:
        beside = [name for name in described(kind) if name.rpartition(".")[0] == where.rpartition(".")[0]]
        return f"{where}: unknown field. {suggestion(where, beside)}"
    return f"{where}: is required and missing." if error["type"] == "missing" else f"{reason_of(error)}."


def described(kind: type) -> dict[str, dict[str, Any]]:
    """Every field of a kind of recipe by its full name, as JSON Schema: description, default, bounds, values.

    The tables themselves stand among them, by their names.
    """
    schema = schema_of(kind)
    found: dict[str, dict[str, Any]] = {}
    for name, entry in schema["properties"].items():
        inner = schema["$defs"].get(entry.get("$ref", "").rpartition("/")[2])
        found[name] = inner or entry
        found |= {f"{name}.{key}": value for key, value in inner["properties"].items()} if inner else {}
    return found

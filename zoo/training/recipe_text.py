"""A recipe told field by field, and as a TOML file with the meaning above every field."""

import json
from typing import Any

from zoo.training.parse import described
from zoo.training.recipe import Recipe, flat
from zoo.training.texts.finetuning_recipe import FinetuneRecipe


def fields_of(recipe: Recipe | FinetuneRecipe) -> list[dict[str, Any]]:
    """Each field of a recipe in order: its `field` (table.name), `value`, `default` and `meaning`; tables too.

    A value or default of None means "not set"; a table has neither.
    """
    values, rows = flat(recipe.to_dict()), []
    for name, entry in described(type(recipe)).items():
        if name == "name":
            continue
        row = {"field": name, "meaning": _meaning(entry)}
        table = "properties" in entry
        rows.append(row if table else row | {"value": values.get(name), "default": entry.get("default")})
    return rows


def as_toml(recipe: Recipe | FinetuneRecipe) -> str:
    """The recipe as the text of a TOML file, which `load_recipe` reads; a field that is not set is a comment."""
    lines: list[str] = []
    for row in fields_of(recipe):
        key = row["field"].rpartition(".")[2]
        if "value" not in row:
            lines += ["", f"# {row['meaning']}", f"[{key}]"]
            continue
        value = f"# {key} =" if row["value"] is None else f"{key} = {_toml(row['value'])}"
        lines += [f"# {row['meaning']}", value]
    return "\n".join(lines) + "\n"


def _meaning(entry: dict[str, Any]) -> str:
    """Description, then the values a field may have."""
    kinds = [entry, *entry.get("anyOf", [])]
    choices = next((kind["enum"] for kind in kinds if "enum" in kind), None)
    low, high = (next((kind[key] for kind in kinds if key in kind), None) for key in ("minimum", "maximum"))
    bounds = f"{low} or more" if high is None else f"{low} to {high}"
    said = [entry["description"], f"One of {', '.join(map(json.dumps, choices))}." if choices else ""]
    return " ".join(part for part in [*said, "" if low is None else f"{bounds}."] if part)


def _toml(value: Any) -> str:
    """A value as TOML writes it: JSON's form, but for tables."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)

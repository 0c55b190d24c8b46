"""Values as Markdown: tables, numbers, nested settings on one line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def number(value: float | None, digits: int) -> str | None:
    """A number with so many decimals, or None."""
    return None if value is None else f"{value:.{digits}f}"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def plain(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "; ".join(f"({plain(item)})" for item in value)
    return str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of `rows` under `head`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else plain(value)
    return " ".join(text.split()).replace("|", "\\|")

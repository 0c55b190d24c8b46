"""Values as Markdown: tables, numbers, nested settings on one line; templates of whole pages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


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


@cache
def load_template(path: Path) -> "Template":
    """A template of a page, in which every name must be given."""
    from jinja2 import Environment, StrictUndefined

    # The page is Markdown, and what is put into it is our own: nothing to escape for HTML.
    space = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = Environment(undefined=StrictUndefined, autoescape=False, **space)  # type: ignore[arg-type]
    return environment.from_string(path.read_text(encoding="utf-8"))

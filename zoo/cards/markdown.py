"""Values as Markdown: text as text, code, tables, numbers, nested settings on one line; templates of whole pages.

A `Markup` is Markdown already; any other value is text, and nothing in it is carried out by a reader of the page.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from zoo.console.visible import visible

if TYPE_CHECKING:
    from jinja2 import Template


# What means something within a line: marks of Markdown, its code, links and mathematics, and HTML.
_MARKS = re.compile(r"(?<!\S)#|[\\`*|$<]|\](?=[(\[:])|(?<!\w)_|_(?!\w)|~~|&(?=[#\w])")
_HTML = {"<": "&lt;", "&": "&amp;"}


def inline(value: object) -> Markup:
    """A value as one line of text, with whatever Markdown or HTML would see in it escaped."""
    if isinstance(value, Markup):
        return value
    line = visible(re.sub(r"\s+", " ", str(value)))
    return Markup(_MARKS.sub(lambda found: _HTML.get(found[0], f"\\{found[0]}"), line))


def code(text: object) -> Markup:
    """Text as code within a line, in more backticks than it holds."""
    line = visible(" ".join(str(text).split()))
    marks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if len(marks) > 1 else ""
    return Markup(f"{marks}{space}{line}{space}{marks}")


def fenced(text: str, language: str) -> Markup:
    """Lines of code as a block, between marks that the code cannot end."""
    marks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return Markup(f"{marks}{language}\n{visible(text)}\n{marks}")


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


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table of `rows` under `head`."""
    lines = [head, ["---"] * len(head), *rows]
    return Markup("\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines))


def _cell(value: Any) -> str:
    if not isinstance(value, Markup):
        value = "-" if value is None else f"{value:g}" if isinstance(value, float) else plain(value)
    return re.sub(r"(?<!\\)\|", r"\\|", inline(value))


@cache
def load_template(path: Path) -> "Template":
    """A template of a page, in which every name must be given; what is put into it is text, unless it is `Markup`."""
    from jinja2 import Environment, StrictUndefined

    space = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = Environment(undefined=StrictUndefined, finalize=inline, **space)  # type: ignore[arg-type]
    return environment.from_string(path.read_text(encoding="utf-8"))

"""JSON and TOML from outside: regular files of bounded size and depth, refused while they are parsed."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from zoo.regular import read_limited

LARGEST = 2**26
"""Bytes of a JSON file; the results of a card and the log of a long run are a hundredth of it."""
LARGEST_TOML = 2**16
"""Characters of TOML: reading one key of many parts takes time with the square of their number."""
DEEPEST = 200
"""Levels of nesting; JSON is read by a library with the same limit."""


def json_of(text: str | bytes) -> Any:
    """The value of JSON.

    Raises:
        ValueError: it is none, or nested deeper than `DEEPEST`.
    """
    return from_json(text)


def json_in(path: str | Path) -> Any:
    """The value in a JSON file.

    Raises:
        OSError: it cannot be read, or is a device or a pipe.
        ValueError: it is none, too large or too deep.
    """
    return json_of(read_limited(path, LARGEST))


def json_lines_in(path: str | Path) -> list[Any]:
    """The values in a file with one JSON value on each line; a last line without its end is left out.

    Raises:
        OSError: as for `json_in`.
        ValueError: likewise.
    """
    return [json_of(line) for line in read_limited(path, LARGEST).split(b"\n")[:-1]]


def toml_of(text: str) -> dict[str, Any]:
    """The tables of TOML.

    Raises:
        ValueError: it is none, or longer or deeper than the limits.
    """
    if len(text) > LARGEST_TOML:
        raise ValueError(f"it has {len(text):,} characters, and {LARGEST_TOML:,} are the most that are read")
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    level: list[Any] = [tables]
    for _ in range(DEEPEST):
        level = [item for value in level for item in _inside(value)]
    if level:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return tables


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []

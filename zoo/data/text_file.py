"""One's own texts in a file: plain lines, CSV or JSON lines, with the columns text, text_pair and label."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.documents import json_of
from zoo.errors import DataNotFoundError

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")
TEXT, PAIR, LABEL = "text", "text_pair", "label"


@dataclass(frozen=True)
class TextRows:
    """The rows of a file.

    Args:
        texts: texts, or pairs of them.
        labels: of each row as it is written, or None where the file has no such column.
    """

    texts: tuple[str | tuple[str, str], ...]
    labels: tuple[str, ...] | None = None


def read_text_file(file: str | Path) -> TextRows:
    """Read a file of texts.

    Args:
        file: .txt (a text on each line), .csv or .tsv with a header, or .jsonl. Columns: text; text_pair where the
            model takes pairs; label where there are labels. Other columns are left alone; empty lines are skipped.

    Raises:
        DataNotFoundError: it cannot be read, has no texts, lacks the column text, or a row lacks a value.
    """
    path = Path(file)
    if not path.is_file():
        raise DataNotFoundError(f"Cannot read the texts in {path}: there is no such file. Check the path.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(_rows(path, stream))
    except (OSError, ValueError, csv.Error) as error:
        raise DataNotFoundError(f"Cannot read the texts in {path}: {' '.join(str(error).split())[:200]}.") from error
    if not rows:
        raise DataNotFoundError(f"{path} holds no texts.")
    texts = tuple(
        (_cell(row, TEXT, path, n), _cell(row, PAIR, path, n)) if PAIR in rows[0] else _cell(row, TEXT, path, n)
        for n, row in enumerate(rows)
    )
    labels = tuple(_cell(row, LABEL, path, n) for n, row in enumerate(rows)) if LABEL in rows[0] else None
    return TextRows(texts, labels)


def _rows(path: Path, stream: Any) -> Iterator[Mapping[str, Any]]:
    kind = path.suffix.lower()
    if kind == ".txt":
        yield from ({TEXT: line.rstrip("\r\n")} for line in stream if line.strip())
    elif kind in (".csv", ".tsv"):
        yield from csv.DictReader(stream, delimiter="\t" if kind == ".tsv" else ",", strict=True)
    elif kind == ".jsonl":
        for line in stream:
            if line.strip():
                row = json_of(line)
                if not isinstance(row, dict):
                    raise ValueError(f"a line holds {type(row).__name__}, not an object")
                yield row
    else:
        raise ValueError(f"the ending is none of {', '.join(SUFFIXES)}")


def _cell(row: Mapping[str, Any], column: str, path: Path, number: int) -> str:
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        found = ", ".join(map(str, row)) or "none"
        raise DataNotFoundError(f"{path}, row {number + 1}: no {column!r} (columns: {found[:200]}).")
    return str(value)

"""`zoo list`: what there is."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import typer

from zoo.catalogue.listing import KINDS, Row
from zoo.console.completion import tags


def _words() -> list[str]:
    return [*KINDS, *tags()]


What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KIND|PATTERN",
        help="models, weights, activations, datasets, tasks, recipes; and names with * and ?, such as 'salunet*'.",
        autocompletion=_words,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]


def register(app: typer.Typer) -> None:
    """Add `list` to the command line."""
    app.command("list")(list_names)


def list_names(what: What = None, json_output: AsJson = False) -> None:
    """List models, published weights, activations, image datasets, tasks of GLUE and recipes.

    zoo list weights, zoo list 'salunet*', zoo list models '*cifar'. `zoo info NAME` says more of one.
    """
    from zoo.console.output import print_json

    kinds = [word for word in what or () if word in KINDS]
    patterns = [word for word in what or () if word not in KINDS and word != "all"]
    rows = {kind: _rows(kind, patterns) for kind in kinds or KINDS}
    if patterns and not any(rows.values()):
        _refuse(patterns, kinds)
    if json_output:
        print_json(rows[kinds[0]] if len(kinds) == 1 else rows)
        return
    for kind, found in rows.items():
        if found or not patterns:
            _print_table(kind, found)


def _rows(kind: str, patterns: Sequence[str]) -> list[Row]:
    chosen = [n for n in KINDS[kind].names() if not patterns or any(fnmatchcase(n, pattern) for pattern in patterns)]
    return [KINDS[kind].row(name) for name in chosen]


def _refuse(patterns: Sequence[str], kinds: Sequence[str]) -> None:
    """Nothing has such a name: say what is near.

    Raises:
        typer.BadParameter: always.
    """
    from zoo.errors import suggestion

    known = [*([] if kinds else KINDS), *(name for kind in kinds or KINDS for name in KINDS[kind].names())]
    where = f" among {', '.join(kinds)}" if kinds else ""
    hints = " ".join(suggestion(pattern.strip("*?"), known) for pattern in patterns)
    raise typer.BadParameter(f"nothing{where} is called {', '.join(patterns)}. {hints}", param_hint="KIND|PATTERN")


# What gives way first where the screen has no room.
_OPTIONAL = ("num_classes", "norm", "top5", "license", "command", "source")
_FIGURES = ("num_classes", "parameters", "top1", "top5", "size_bytes")


def _print_table(title: str, rows: list[Row]) -> None:
    from zoo.console.output import console_out
    from zoo.console.tables import Column, print_table

    if not rows:
        console_out.print(
            f"No {title} yet. `zoo adopt FILE --model MODEL --tag TAG` makes a card of a checkpoint, such as "
            "RUN/model.safetensors of a run of `zoo train`.",
        )
        return
    empty = {column for column in rows[0] if all(row[column] is None for row in rows)}
    shown = [column for column in rows[0] if column not in empty]
    heads = (column.replace("_", " ").removeprefix("num ").removesuffix(" bytes") for column in shown)
    columns = [Column(h, c in _FIGURES, c in _OPTIONAL) for h, c in zip(heads, shown, strict=True)]
    print_table(columns, [[_cell(row[column], column) for column in shown] for row in rows], title.capitalize())
    console_out.print()


def _cell(value: Any, column: str = "") -> str:
    if column == "size_bytes":
        return "" if value is None else f"{value / 1e6:.1f} MB"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {100 * item:.2f}" for key, item in value.items())
    if isinstance(value, list):
        return ("x" if value and all(isinstance(v, int) for v in value) else ", ").join(map(str, value)) or "-"
    if isinstance(value, int) and value >= 100_000:
        return f"{value / 1e6:.2f} M"
    return "-" if value is None or value == "" else str(value)

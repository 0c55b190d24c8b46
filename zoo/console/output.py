"""Output of every command: results on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

# In a file or pipe there is no width to keep to, and rich would take 80 columns.
_PIPE = 10_000

console_out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE)
"""Tables and sentences for people; a command with `--json` prints nothing here."""

console_err = Console(stderr=True)
"""Progress, notes and errors: never mixed into what a script reads from stdout."""


def is_piped() -> bool:
    """True if stdout is a file or pipe, where nothing has to be shortened."""
    return console_out.width >= _PIPE


class RateColumn(ProgressColumn):
    """Steps a second, smoothed by rich over the last half minute."""

    def render(self, task: Task) -> Text:
        """Return `12.3/s`, or a dash until there are two updates."""
        speed = task.finished_speed or task.speed
        return Text("-/s" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


def print_json(value: Any) -> None:
    """Print `value` as indented JSON on stdout, as the only thing a script will read there."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar with rate and time left on stderr while the block runs.

    Where stderr is no terminal (a log file, a pipe) nothing is drawn.

    Args:
        description: what is being done, in a word or two.
        total: number of steps, or None when it is not known: the bar then pulses.

    Yields:
        A function that takes the number of steps just finished.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console_err, disable=not console_err.is_terminal) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)

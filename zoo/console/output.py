"""Output of every command: results on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.segment import Segment
from rich.text import Text

from zoo.console.durations import duration, roughly
from zoo.console.visible import visible

# In a file or pipe there is no width to keep to, and rich would take 80 columns.
_PIPE = 10_000


class Screen(Console):
    """A console on which text is text: no markup, no emoji codes, and what would act on the terminal written out."""

    def __init__(self, **given: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **given)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Lines of text as rich draws them, made visible; rich's own control codes are left."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


console_out = Screen(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE)
"""Tables and sentences for people; a command with `--json` prints nothing here."""

console_err = Screen(stderr=True, width=None if sys.stderr.isatty() or "COLUMNS" in os.environ else _PIPE)
"""Progress, notes and errors: never mixed into what a script reads from stdout."""


def is_piped(screen: Console) -> bool:
    """True if it writes into a file or pipe, where nothing has to be shortened."""
    return screen.width >= _PIPE


class RateColumn(ProgressColumn):
    """Steps a second, smoothed by rich over the last half minute."""

    def render(self, task: Task) -> Text:
        """Return `12.3/s`, or a dash until there are two updates."""
        speed = task.finished_speed or task.speed
        return Text("-/s" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


class TimeColumn(ProgressColumn):
    """Time taken and left, in words."""

    def render(self, task: Task) -> Text:
        """Return `9 s, about 20 s left`; the time left once it can be told."""
        taken = duration((task.finished_time if task.finished else task.elapsed) or 0.0)
        left = None if task.finished else task.time_remaining
        return Text(taken if left is None else f"{taken}, {roughly(left)} left")


def bar_columns(console: Console, note: ProgressColumn, rest: int) -> list[ProgressColumn]:
    """Columns of a progress bar that fit: what is done, the bar, the count, a note, the time.

    Args:
        console: where it is drawn.
        note: left out where there are less than 60 cells.
        rest: cells that everything but the bar takes; the bar needs ten more.
    """
    room = console.width - rest
    return [
        TextColumn("{task.description}", markup=False),
        *([BarColumn(min(40, room))] if room >= 10 else []),
        MofNCompleteColumn(),
        *([note] if console.width >= 60 else []),
        TimeColumn(),
    ]


def say(text: str, err: bool = False) -> None:
    """Print plain lines that no width cuts, on stdout or stderr, as a script may read them."""
    typer.echo(visible(text), err=err)


def print_json(value: Any) -> None:
    """Print `value` as indented JSON on stdout, all that a script will read there; in ASCII where it is not UTF-8."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    say(json.dumps(value, indent=2, ensure_ascii=not unicode))


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
    columns = bar_columns(console_err, RateColumn(), 66)
    with Progress(SpinnerColumn(), *columns, console=console_err, disable=not console_err.is_terminal) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)


def shortest_path(folder: Path) -> str:
    """A folder as a command takes it from here: relative where that is shorter, with ./ where it would be a name."""
    from os.path import relpath

    shown = min(relpath(folder), str(folder), key=len)
    return shown if "/" in shown else f"./{shown}"

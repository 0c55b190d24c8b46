"""Ctrl-C: what is kept, how to go on, and the exit status that shells know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from zoo.console import output
from zoo.devices import is_main_process

INTERRUPTED = 130


@contextmanager
def on_interrupt(kept: Callable[[], str]) -> Iterator[None]:
    """Say what is kept when the user stops the block; of several processes the main one says it.

    Args:
        kept: what is kept and how to go on, in sentences; asked only then.

    Raises:
        typer.Exit: with status 130.
    """
    try:
        yield
    except KeyboardInterrupt:
        if is_main_process():
            output.console_err.print(f"Interrupted. {kept()}", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def run_kept(folder: Path, checkpoint: Path | None) -> str:
    """What is left of a run that writes checkpoints, and how it goes on.

    Args:
        folder: of the run.
        checkpoint: its last one, or None.
    """
    if not folder.exists():
        return "Nothing was written yet: give the same command again."
    if checkpoint is None:
        return f"There is no checkpoint in {folder} yet: the same command with --resume starts at the first step."
    import time

    from zoo.console.durations import duration

    age = duration(max(0.0, time.time() - checkpoint.stat().st_mtime))
    return f"The checkpoint of {age} ago is in {folder}; give the same command with --resume to go on from there."

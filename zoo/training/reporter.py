"""Progress display of a run: a bar in a terminal, plain lines elsewhere, always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from rich.progress import Progress, TextColumn

from zoo.console.durations import duration, roughly
from zoo.console.output import Screen, bar_columns

# Seconds between plain lines where no bar can be drawn.
_LINE_EVERY = 30.0


class Reporter:
    """Shows steps done, loss, rate and time left, one line for each epoch, and that torch.compile is at work.

    Args:
        total: steps of the whole run.
        done: steps finished before this process started.
        show: False prints nothing (other processes than the first, or on request).
        unit: what a step is over.
    """

    def __init__(self, total: int, done: int, show: bool, unit: str = "images") -> None:
        self._console = Screen(stderr=True, quiet=not show)
        self._total, self._first, self._done, self._unit = total, done, done, unit
        self._begin = self._start = self._last_line = time.monotonic()
        self._compiling = self._compiled_s = 0.0
        self._announced = False
        self._bar = _bar(self._console, show)
        self._task = self._bar.add_task("training", total=total, completed=done, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        if compiler := _compiler():
            compiler.register_start_callback(self._compile_begins)
            compiler.register_end_callback(self._compile_ends)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if compiler := _compiler():
            for callbacks in (compiler.start_callbacks, compiler.end_callbacks):
                callbacks[:] = [found for found in callbacks if getattr(found, "__self__", None) is not self]
        self._bar.stop()

    def _compile_begins(self, *_: Any) -> None:
        self._compiling = time.monotonic()
        if not self._announced:
            self._announced = True
            self.say("torch.compile compiles the model: the first step takes a minute or more, the others do not.")
        self._bar.update(self._task, description="compiling")

    def _compile_ends(self, *_: Any) -> None:
        self._compiled_s += time.monotonic() - self._compiling
        self._bar.update(self._task, description="training")

    def _compiled(self) -> None:
        """Report how long the compiler took, if it was more than a blink; the rate of steps leaves it out."""
        if self._compiled_s >= 1:
            self.say(f"Compiled in {duration(self._compiled_s)}.")
        self._start += self._compiled_s
        self._compiled_s = 0.0

    def say(self, text: str) -> None:
        """Print one line, above the bar if there is one."""
        self._console.print(text, soft_wrap=True)

    def step(self, loss: float | None, count: int) -> None:
        """One more step is done, over `count` images; the loss is None where it is not known yet."""
        self._done += 1
        self._compiled()
        now = time.monotonic()
        rate = (self._done - self._first) / max(now - self._start, 1e-9)
        note = ("" if loss is None else f"loss {loss:.3f}  ") + f"{rate * count:.0f} {self._unit}/s"
        self._bar.update(self._task, completed=self._done, note=note)
        if self._bar.disable and now - self._last_line >= _LINE_EVERY:
            self._last_line = now
            left = roughly((self._total - self._done) / rate)
            taken = duration(now - self._begin)
            self.say(f"step {self._done}/{self._total}  {note}  {rate:.2f} steps/s  {taken}, {left} left")

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Print one finished epoch's row of the log."""
        parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['train_loss']:.4f}", f"lr {row['lr']:.3g}"]
        parts += [f"{name} {row[name]:.2f} %" for name in ("val_top1", "val_top1_ema") if name in row]
        parts += [f"grad norm {row['grad_norm']:.2f}", f"{row['images_per_s']:.0f} images/s", f"{row['seconds']:.0f} s"]
        self.say("  ".join(parts))


@contextmanager
def counting(what: str, total: int, show: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a preparation is while the block runs; where no bar can be drawn, as a line every half minute.

    Args:
        what: what is being done, in a word or two.
        total: number of items.
        show: False prints nothing.

    Yields:
        A function that takes the number of items just finished.
    """
    console = Screen(stderr=True, quiet=not show)
    done, last_line = 0, time.monotonic()

    def advance(items: int) -> None:
        nonlocal done, last_line
        done += items
        bar.update(task, completed=done)
        if bar.disable and time.monotonic() - last_line >= _LINE_EVERY:
            last_line = time.monotonic()
            console.print(f"{what}: {done}/{total}")

    with _bar(console, show) as bar:
        task = bar.add_task(what, total=total, note="")
        yield advance


def _bar(console: Screen, show: bool) -> Progress:
    columns = bar_columns(console, TextColumn("{task.fields[note]}", markup=False), 86)
    return Progress(*columns, console=console, disable=not (show and console.is_terminal))


def _compiler() -> Any:
    """PyTorch's list of who wants to know when it compiles; None where nothing is compiled, and it is not loaded."""
    module = sys.modules.get("torch._dynamo.callback")
    return module and module.callback_handler

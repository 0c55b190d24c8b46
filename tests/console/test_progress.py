"""Progress in words, a bar that fits its screen, and a compiler that is not silent."""

import io
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from zoo.console import output
from zoo.console.durations import duration, roughly
from zoo.training import reporter as module
from zoo.training.reporter import Reporter


@pytest.mark.parametrize(
    ("seconds", "exact", "estimate"),
    [
        (0.2, "0 s", "about 1 s"),
        (9, "9 s", "about 9 s"),
        (18.4, "18 s", "about 20 s"),
        (58, "58 s", "about 1 min"),
        (200, "3 min 20 s", "about 3 min"),
        (3590, "59 min 50 s", "about 1 h"),
        (4700, "1 h 18 min", "about 1 h 20 min"),
    ],
)
def test_times_in_words(seconds, exact, estimate):
    assert (duration(seconds), roughly(seconds)) == (exact, estimate)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_bar_fits_and_says_how_long(width, monkeypatch):
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(output, "console_err", screen)
    with output.progress("predicting", total=40) as advance:
        for _ in range(4):
            advance(10)
    lines = screen.file.getvalue().replace("\r", "\n").splitlines()
    assert any("predicting" in line and "40/40" in line and "0 s" in line for line in lines)
    assert "…" not in screen.file.getvalue()


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def compiler(monkeypatch):
    """PyTorch's handler in little: what is registered is called by the test."""
    made = SimpleNamespace(start_callbacks=[], end_callbacks=[])
    made.register_start_callback, made.register_end_callback = made.start_callbacks.append, made.end_callbacks.append
    monkeypatch.setitem(sys.modules, "torch._dynamo.callback", SimpleNamespace(callback_handler=made))
    return made


def test_compiling_is_said_once_and_does_not_count_as_steps(compiler, monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    with Reporter(total=100, done=0, show=True) as reporter:
        for seconds in (40, 2):  # the model, then its gradient
            compiler.start_callbacks[0]("args")
            clock.now += seconds
            compiler.end_callbacks[0]("args")
        clock.now += 8
        reporter.step(2.5, 16)
        clock.now += 32
        reporter.step(2.5, 16)
    assert (compiler.start_callbacks, compiler.end_callbacks) == ([], [])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["torch.compile compiles the model", "Compiled in 42 s."]
    # Two steps in 40 s without the compiler's 42 s; the first line may come half a minute after the start.
    assert lines[2:] == [
        "step 1/100  loss 2.500  2 images/s  0.12 steps/s  50 s, about 13 min left",
        "step 2/100  loss 2.500  1 images/s  0.05 steps/s  1 min 22 s, about 33 min left",
    ]


def test_torch_compile_tells_the_reporter(capsys):
    import torch

    def plain(x):
        return (x * 2).sum()

    compiled = torch.compile(plain, backend="eager")
    with Reporter(total=1, done=0, show=True) as reporter:
        assert compiled(torch.ones(3)).item() == 6
        reporter.step(None, 1)
    assert "torch.compile compiles the model" in capsys.readouterr().err

"""Timing in turns: each side runs once before any runs again, so that all of them see the same machine.

`torch.utils.benchmark.Timer` and `triton.testing.do_bench` finish one function before they begin the next, so a machine
that slows down in between favours whoever came first; and `Timer` reads the host's clock on a GPU as well, launches
included.
"""

import time
from collections.abc import Callable, Sequence

import torch

Work = Callable[[], object]
Side = Callable[[], Work]
"""What is called before each run, untimed, and gives what is timed."""
Stopwatch = Callable[[Work], float]
"""Runs the work once and returns the seconds it took."""

FLUSH_BYTES = 256 * 2**20
"""Far above the L2 cache of any GPU."""
FLUSHES = 16
"""So that emptying the cache takes about a millisecond, and the host has queued the work by then."""


def always(work: Work) -> Side:
    """A side with nothing to prepare."""
    return lambda: work


def alternate(
    sides: Sequence[Side], runs: int, warmup: int, stopwatch: Stopwatch | None = None, on_turn: Work = lambda: None
) -> list[list[float]]:
    """Seconds of each run of each side; the sides take turns.

    Args:
        sides: what to time.
        runs: timed runs of each.
        warmup: turns before that, with everything but the notes.
        stopwatch: None means the host's clock.
        on_turn: called after each turn of all sides, warm-up included.
    """
    stopwatch = stopwatch or host_seconds
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(warmup + runs):
        for taken, side in zip(times, sides, strict=True):
            seconds = stopwatch(side())
            if turn >= warmup:
                taken.append(seconds)
        on_turn()
    return times


def host_seconds(work: Work) -> float:
    """The host's clock around the work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def synchronised(device: torch.device) -> Stopwatch:
    """The host's clock, read when the device has nothing left to do: launches count, as they do in training."""
    if device.type == "cpu":
        return host_seconds

    def seconds(work: Work) -> float:
        def finished() -> None:
            work()
            torch.cuda.synchronize(device)

        torch.cuda.synchronize(device)
        return host_seconds(finished)

    return seconds


def on_device(device: torch.device) -> Stopwatch:
    """Return a stopwatch of the device's own time: on a GPU between two CUDA events, from a cold L2 cache.

    The GPU is busy with that while the host queues the work, so launches are not counted.
    """
    if device.type == "cpu":
        return host_seconds
    other = torch.empty(FLUSH_BYTES, dtype=torch.int8, device=device)

    def seconds(work: Work) -> float:
        with torch.cuda.device(device):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            for _ in range(FLUSHES):
                other.zero_()
            start.record()
            work()
            end.record()
            end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    return seconds

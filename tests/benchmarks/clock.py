"""A stopwatch whose hand the test moves."""

from collections.abc import Iterable
from itertools import chain, repeat


class FakeStopwatch:
    """Runs the work and returns the next of these seconds, the last one for ever.

    Args:
        seconds: what it returns.
    """

    def __init__(self, seconds: Iterable[float]) -> None:
        *first, last = seconds
        self._seconds = chain(first, repeat(last))

    def __call__(self, work):
        work()
        return next(self._seconds)

"""Statistics of many times: their median with the quartiles, and the comparison of two sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds of a run: the median and the quartiles."""

    median_ms: float
    q1_ms: float
    q3_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Times":
        """From the seconds of single runs."""
        q1, median, q3 = (float(value) * 1e3 for value in np.percentile(seconds, (25, 50, 75)))
        return cls(median_ms=median, q1_ms=q1, q3_ms=q3)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One side's time over another's: the median over the turns, and its 95 % bootstrap interval.

    Both times of a quotient are of the same turn, so a machine that slows down for a while changes neither.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, own: Sequence[float], other: Sequence[float]) -> "Ratio":
        """From the seconds of both sides, turn by turn.

        Raises:
            ValueError: there are more turns of one than of the other.
        """
        quotients = np.array([a / b for a, b in zip(own, other, strict=True)])
        drawn = np.random.default_rng(0).choice(quotients, (RESAMPLES, len(quotients)))
        low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
        return cls(median=float(np.median(quotients)), low=float(low), high=float(high))

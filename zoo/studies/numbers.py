"""Means over runs, and when two of them differ."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

Order = Literal["above", "below", "undecided"]
# Differences within this many standard errors are left undecided.
STANDARD_ERRORS = 2.0


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation, sqrt(Σ(x − mean)² / (n − 1)); None for a single value."""
    return fmean(values), stdev(values) if len(values) > 1 else None


def compare(first: Sequence[float], second: Sequence[float]) -> Order:
    """Whether the mean of `first` lies above that of `second`, below it, or too near to say.

    Too near is within `STANDARD_ERRORS` times sqrt(s₁²/n₁ + s₂²/n₂); with fewer than two values on either side, always.
    """
    (mean_1, std_1), (mean_2, std_2) = spread(first), spread(second)
    if std_1 is None or std_2 is None:
        return "undecided"
    error = math.sqrt(std_1**2 / len(first) + std_2**2 / len(second))
    if abs(mean_1 - mean_2) <= STANDARD_ERRORS * error:
        return "undecided"
    return "above" if mean_1 > mean_2 else "below"


def binomial_error(percent: float, images: int) -> float:
    """Standard error of an accuracy measured on `images` images, both in percent: sqrt(p·(100 − p)/n)."""
    return math.sqrt(percent * (100 - percent) / images)

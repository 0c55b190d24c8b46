"""Measurements of an export in 8-bit integers: kept in the file, which is held against them ever after.

How far integers may be from float32 follows from no table: it depends on the network. So the file remembers how far it
was when its accuracy was proven, on images that every machine has, on extremes, and on others of its kind.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from export.errors import OnnxFileError
from export.parity.compare_outputs import OutputComparison
from export.parity.parity_report import ParityReport, ProbeResult
from export.parity.probes import EXTREME
from export.parity.tolerances import SMALLEST_SCALE
from zoo.errors import ConfigurationError
from zoo.records import Record

Logits: TypeAlias = NDArray[np.float32]

SLACK = 1.5
"""A difference may be this many times the recorded one: processors round a few integers the other way."""

LEAST = 1e-2
"""Nothing below this share of the largest logit is a change: one integer of the last layers moves logits by as much."""

SAME = 1e-5
"""As for float32: the same integers, and another order of summation in what stays in float32."""

NOISE = 3.0
"""Logits may change by this many times what integers change that round the other way, in the mean over images. In a
SaluNet-C-18 8 of 10 million did: 8 of 20 images changed by 2e-3 to 8e-3, the others not at all, 1.5e-3 in the mean. One
step in one weight changes all of them, 6.7e-3 in the mean; a scalar a that is off by 1e-3, 1.1e-2."""

_STANDARD_ERRORS, _DIGITS = 3, 6


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of a file with float32 on some images.

    Args:
        n: how many.
        max_rel: largest difference of a logit, relative to the largest |logit| of its image.
        top1_changed: how many changed their first class.
    """

    n: int
    max_rel: float
    top1_changed: int

    @classmethod
    def of(cls, found: Iterable[OutputComparison]) -> "Agreement":
        """From the figures of several batches."""
        every = list(found)
        worst, changed = max(one.max_rel for one in every), sum(one.top1_changed for one in every)
        return cls(n=sum(one.n for one in every), max_rel=worst, top1_changed=changed)


@dataclass(frozen=True, kw_only=True)
class Measured(Record):
    """The figures of an export.

    Args:
        own: on the images of this package, which are the same everywhere.
        extremes: the largest relative difference on each extreme input, by its name.
        others: on calibration images no range was taken from, and on the samples given.
        logits: the file's own, on the images of this package.
        noise: how far those are from the file's definition in float32: the mean over the images of the largest
            difference, relative to the largest |logit|. It is what integers amount to that round the other way.
    """

    own: Agreement
    extremes: dict[str, float]
    others: Agreement
    logits: list[list[float]]
    noise: float

    @classmethod
    def of(cls, own: ParityReport, others: Iterable[OutputComparison], logits: Logits, defined: Logits) -> "Measured":
        """From what was compared.

        Args:
            own: on the images of this package and the extremes.
            others: on other images.
            logits: the file's on the images of this package.
            defined: the same, by the file's definition in float32.
        """
        return cls(
            own=Agreement.of(r.found for r in own.results if r.kind != EXTREME),
            extremes={r.name: r.found.max_rel for r in own.results if r.kind == EXTREME},
            others=Agreement.of(others),
            logits=[[float(f"{value:.{_DIGITS}g}") for value in row] for row in logits],
            noise=_apart(logits, defined),
        )

    @classmethod
    def read(cls, stored: Mapping[str, Any], file: object) -> "Measured":
        """The inverse of `to_dict`.

        Raises:
            OnnxFileError: it is missing or damaged.
        """
        try:
            return cls.checked(stored)
        except ConfigurationError as error:
            raise OnnxFileError(
                f"{file} computes in integers, but what its export measured is missing or damaged ({error}), so "
                "nothing can be held against it. Export the model again."
            ) from error

    def other_answers(self, logits: Logits) -> tuple[str, ...]:
        """Describe the problem if the file's logits on the images of this package are others than at its export."""
        stored, allowed = np.array(self.logits, np.float32), max(SAME, NOISE * self.noise)
        if stored.shape != logits.shape:
            return (f"logits of shape {logits.shape}, {stored.shape} at its export",)
        apart = _apart(stored, logits)
        if apart <= allowed:
            return ()
        return (f"logits differ from those of its export by {apart:.2e} in the mean, allowed {allowed:.2e}",)


def held_against(report: ParityReport, measured: Measured, own: bool) -> ParityReport:
    """A report with the verdicts that follow from what the export measured.

    Args:
        report: a comparison in integers.
        measured: the figures of the export.
        own: whether it was made on the images of this package. On others the first class may change as often as the
            recorded share allows, and three standard errors more.
    """
    recorded = measured.own if own else measured.others
    changed = Agreement.of(r.found for r in report.results if r.kind != EXTREME)
    allowed = recorded.top1_changed if own else _most_changed(recorded, changed.n)
    results = [_judged(result, measured, recorded) for result in report.results]
    if changed.top1_changed > allowed:
        text = f"another first class on {changed.top1_changed} of {changed.n} images, at most {allowed} allowed"
        last = max(i for i, result in enumerate(results) if result.kind != EXTREME)
        results[last] = replace(results[last], problems=(*results[last].problems, text))
    return replace(report, results=tuple(results))


def _apart(logits: Logits, others: Logits) -> float:
    """The mean over images of the largest difference, relative to the largest |logit|; infinite for one without."""
    gap = np.abs(logits - others).max(axis=1) / np.abs(logits).max(axis=1).clip(SMALLEST_SCALE)
    return float(np.nan_to_num(gap, nan=np.inf).mean())


def _judged(result: ProbeResult, measured: Measured, recorded: Agreement) -> ProbeResult:
    before = measured.extremes.get(result.name, 0.0) if result.kind == EXTREME else recorded.max_rel
    allowed = max(SLACK * before, LEAST)
    problems = result.problems
    if not result.found.max_rel <= allowed:
        problems += (f"relative difference {result.found.max_rel:.2e}; {before:.2e} when it was exported",)
    return replace(result, allowed=allowed, judged=True, problems=problems)


def _most_changed(recorded: Agreement, n: int) -> int:
    share = (recorded.top1_changed + 1) / (recorded.n + 2)
    return math.floor(n * share + _STANDARD_ERRORS * math.sqrt(n * share * (1 - share)))

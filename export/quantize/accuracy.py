"""The budget: how accurate a file in integers is, and what to leave in float32 until it is accurate enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.errors import BudgetError
from export.quantize.calibration_data import CalibrationImages
from export.quantize.quantization_report import Attempt
from export.quantize.running import BATCH, open_plain
from export.quantize.sensitivity import Sensitivity
from export.runtime.session import Session, open_session, run_session

Progress = Callable[[int, int], None]

LARGEST_SHARE = 0.5
"""At most this share of the sites is left in float32: with more the file is hardly one in integers."""


@dataclass(frozen=True)
class Reference:
    """Reference that the file is measured against.

    Args:
        wanted: the class that counts as right, for each image: its own, or the one the float32 model names.
        float32_right: how often the float32 model names it.
        measure: as in `AccuracyReport`.
    """

    wanted: NDArray[np.int64]
    float32_right: int
    measure: str

    @classmethod
    def of(cls, model: ir.Model, images: CalibrationImages, threads: int | None, on_progress: Progress) -> "Reference":
        """Run the float32 graph on all images."""
        found, numbers = first_classes(open_plain(model, threads), images, on_progress)
        wanted = numbers if images.labelled else found
        return cls(wanted, int((found == wanted).sum()), "Top-1" if images.labelled else "agreement with float32")


def first_classes(
    session: Session, images: CalibrationImages, on_progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first class of each image, and its own class number; a logit that is not a number gives the class -2."""
    name, classes, numbers = session.get_inputs()[0].name, [], []
    done = 0
    for batch, own in images.batches(BATCH):
        logits = run_session(session, {name: batch})[0]
        classes.append(np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -2))
        numbers += own
        done += len(own)
        on_progress(done, images.count)
    return np.concatenate(classes), np.array(numbers)


@dataclass(frozen=True)
class Search:
    """Inputs of a search for a file within the budget.

    Args:
        make: the bytes of a file that leaves the sites of these names in float32.
        images: to measure on.
        reference: what is right.
        budget: points of accuracy it may lose.
        sensitivity: the sites, the worst first.
        threads: of the sessions.
        on_progress: called after each batch with how many images are done and how many there are.
    """

    make: Callable[[Sequence[str]], bytes]
    images: CalibrationImages
    reference: Reference
    budget: float
    sensitivity: tuple[Sensitivity, ...]
    threads: int | None
    on_progress: Progress

    def run(self) -> tuple[bytes, tuple[Attempt, ...]]:
        """The first file within the budget, with all sites in integers, then without the 1, 2, 4, ... worst.

        Raises:
            BudgetError: none is.
        """
        attempts: list[Attempt] = []
        most = int(LARGEST_SHARE * len(self.sensitivity))
        for count in (n for n in (0, *(2**i for i in range(20))) if n <= most):
            left = [entry.name for entry in self.sensitivity[:count]]
            file = self.make(left)
            attempts.append(self._measure(file, left))
            if attempts[-1].drop <= self.budget:
                return file, tuple(attempts)
        raise BudgetError(self._explain(attempts))

    def _measure(self, file: bytes, left: Sequence[str]) -> Attempt:
        session = open_session(file, threads=self.threads, spin=False)
        found, _ = first_classes(session, self.images, self.on_progress)
        right = int((found == self.reference.wanted).sum())
        drop = 100 * (self.reference.float32_right - right) / self.images.count
        return Attempt(left_in_float32=tuple(left), right=right, drop=drop)

    def _explain(self, attempts: Sequence[Attempt]) -> str:
        tried = ", ".join(f"{a.drop:.2f} with {len(a.left_in_float32)} sites left in float32" for a in attempts)
        return (
            f"In 8-bit integers the model loses more than {self.budget:g} points of {self.reference.measure} on "
            f"{self.images.described}: {tried} (of {len(self.sensitivity)}; worst site "
            f"{self.sensitivity[0].name}). Nothing was written. Calibrate on images like those it is used on, allow a "
            "larger budget, or export for edge_cpu in float32."
        )

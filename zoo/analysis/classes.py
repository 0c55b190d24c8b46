"""Confusion counts of a classifier: right and mistaken classes, small enough to store with a result."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import NonNegativeInt

from zoo.errors import ConfigurationError
from zoo.records import Record

FULL_MATRIX = 20
"""Up to so many classes every confusion is kept, and with it the whole matrix."""
KEPT = 50
"""Of more classes, so many confusions: the most frequent."""


@dataclass(frozen=True)
class ClassCounts(Record):
    """Top-1 predictions counted by class.

    Args:
        images: of each class, in the order of the class numbers.
        correct: of each class, those whose own class scored highest.
        confused: (class, predicted class, images) with two different classes, the most frequent first: all of them
            for up to `FULL_MATRIX` classes, else the first `KEPT`.

    Raises:
        ConfigurationError: the counts contradict each other.
    """

    subject = "table of counts by class"

    images: tuple[NonNegativeInt, ...]
    correct: tuple[NonNegativeInt, ...]
    confused: tuple[tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt], ...]

    def __post_init__(self) -> None:
        if not self._consistent():
            raise ConfigurationError("Counts by class contradict each other; the file was edited.")

    @classmethod
    def of(cls, pairs: Mapping[tuple[int, int], int], num_classes: int) -> "ClassCounts":
        """Counts from the number of images for each (class, predicted class)."""
        images: Counter[int] = Counter()
        for (target, _), count in pairs.items():
            images[target] += count
        wrong = [(target, answer, count) for (target, answer), count in pairs.items() if target != answer and count]
        wrong.sort(key=lambda cell: (-cell[2], cell[0], cell[1]))
        return cls(
            images=tuple(images[number] for number in range(num_classes)),
            correct=tuple(pairs.get((number, number), 0) for number in range(num_classes)),
            confused=tuple(wrong if num_classes <= FULL_MATRIX else wrong[:KEPT]),
        )

    @property
    def accuracy(self) -> tuple[float | None, ...]:
        """Percent of each class that is right; None where there is no image of it."""
        return tuple(
            100 * right / count if count else None for right, count in zip(self.correct, self.images, strict=True)
        )

    def matrix(self) -> list[list[int]] | None:
        """The confusion matrix, a row for each class and a column for each answer; None where not all is stored."""
        size = len(self.images)
        if size > FULL_MATRIX:
            return None
        rows = [[0] * size for _ in range(size)]
        for number, right in enumerate(self.correct):
            rows[number][number] = right
        for target, answer, count in self.confused:
            rows[target][answer] = count
        return rows

    def _consistent(self) -> bool:
        size = len(self.images)
        if len(self.correct) != size:
            return False
        wrong: Counter[int] = Counter()
        for target, answer, count in self.confused:
            if not (target < size and answer < size and target != answer):
                return False
            wrong[target] += count
        missed = [count - right for count, right in zip(self.images, self.correct, strict=True)]
        if size <= FULL_MATRIX:
            return all(wrong[number] == count for number, count in enumerate(missed))
        return all(wrong[number] <= count for number, count in enumerate(missed))

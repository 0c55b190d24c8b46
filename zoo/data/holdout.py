"""Holding back a part of each class, where the data has nothing to measure on."""

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from zoo.errors import DataNotFoundError

Label = TypeVar("Label", bound=Hashable)


def hold_back(
    labels: Sequence[Label], fraction: float, seed: int, called: Callable[[Label], str], what: str
) -> tuple[list[int], list[int]]:
    """Divide samples: `fraction` of each class is held back, at least one and never all.

    Args:
        labels: of each sample.
        fraction: share of a class that is held back, in (0, 1).
        seed: decides which ones; each class draws for itself.
        called: a class in words, for the message.
        what: what the samples are, such as "image".

    Returns:
        The positions to learn from and those held back, each in order.

    Raises:
        DataNotFoundError: a class has a single sample.
    """
    members: dict[Label, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    held: set[int] = set()
    for label, indices in members.items():
        if len(indices) < 2:
            raise DataNotFoundError(
                f"{called(label)} has a single {what}; it takes two to learn from one and measure on one."
            )
        count = min(max(1, round(fraction * len(indices))), len(indices) - 1)
        held |= set(random.Random(f"{seed} {label}").sample(indices, count))
    return [index for index in range(len(labels)) if index not in held], sorted(held)

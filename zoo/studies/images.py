"""A split decoded once and shared by all trainings of a study, whole or in part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.data.vision import ImageDataset
from zoo.training.reporter import counting

if TYPE_CHECKING:
    from PIL.Image import Image

_REPORT_EVERY = 250


class _Held:
    """Decoded images and their class numbers, by position."""

    def __init__(self, rows: "list[tuple[Image, int]]") -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        return self._rows[index]


def held(dataset: ImageDataset, positions: Sequence[int] | None = None, *, show: bool = False) -> ImageDataset:
    """Decode `dataset` into memory (3 kB for each CIFAR image), so that many trainings need not do it again.

    Args:
        dataset: any split.
        positions: which of its images, in this order; None takes all.
        show: draw progress.
    """
    chosen = range(len(dataset)) if positions is None else positions
    rows = []
    with counting(f"decoding, {dataset.split or dataset.name}", len(chosen), show) as advance:
        for done, position in enumerate(chosen, 1):
            rows.append(dataset[position])
            if done % _REPORT_EVERY == 0 or done == len(chosen):
                advance((done - 1) % _REPORT_EVERY + 1)
    return ImageDataset(
        dataset.name, dataset.split, _Held(rows), dataset.labels, dataset.num_classes, lambda: dataset.source
    )


def about(splits: dict[str, ImageDataset]) -> dict[str, object]:
    """What a report says of the data: name, images of each split, hashes of the files; no folder of this machine."""
    return {
        use: {
            "dataset": split.name,
            "split": split.split,
            "images": len(split),
            "classes": split.num_classes,
            "source": {key: value for key, value in split.source.items() if key != "folder"},
        }
        for use, split in splits.items()
    }

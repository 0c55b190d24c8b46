"""The two parts of a dataset that training needs: images to learn from, and images to measure on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data._folder import SPLIT_NAMES
from zoo.data._parquet import belongs, find_parquet
from zoo.data.holdout import hold_back
from zoo.data.image_dataset import ImageDataset, dataset_spec
from zoo.data.subset import selected, without_unreadable
from zoo.data.vision import load_vision
from zoo.errors import DataNotFoundError

if TYPE_CHECKING:
    pass

_TRAIN, _EVALUATION = ("train",), ("validation", "val", "valid", "test")


def open_training_splits(
    dataset: str,
    data: str | Path | None = None,
    *,
    train: str = "",
    evaluation: str = "",
    fraction: float = 0.0,
    seed: int = 0,
    skip_unreadable: bool = False,
) -> tuple[ImageDataset, ImageDataset]:
    """Open what a model learns from, and what it is measured on, with the same class numbers in both.

    Args:
        dataset: a name in `zoo.data.DATASETS`, or a dataset of the Hub, ORG/NAME.
        data: its local folder; None fetches it from the Hub.
        train: the split to learn from; "" takes the one called train, or all of a folder that is not divided.
        evaluation: the split to measure on; "" takes validation, val, valid or test, or else splits off `fraction`.
        fraction: share of each class's training images to split off where there is nothing to measure on.
        seed: decides which ones.
        skip_unreadable: decode all images first, and leave out those that cannot be; see `without_unreadable`.

    Raises:
        DataNotFoundError: a split is missing; there is nothing to measure on and `fraction` is 0; fewer than two
            classes, or a class with a single image to divide; a class to be measured that is not learned.
    """
    divided = _splits_of(dataset, data)
    learned = _load(dataset, train or _first(_TRAIN, divided), data, skip_unreadable)
    if learned.num_classes < 2:
        raise DataNotFoundError(
            f"{_place(dataset, data)} has {learned.num_classes} class to learn ({', '.join(learned.labels)}); a "
            "classifier needs two or more: one folder of images for each."
        )
    wanted = evaluation or _first(_EVALUATION, divided)
    if wanted:
        return learned, _with_classes_of(learned, _load(dataset, wanted, data, skip_unreadable))
    if not fraction:
        raise DataNotFoundError(
            f"{_place(dataset, data)} has nothing to measure on: no folder {', '.join(_EVALUATION)} beside train. Make "
            "one, or let a part be split off: --set data.eval_fraction=0.2."
        )
    return _divided(learned, fraction, seed)


def _load(dataset: str, split: str | None, data: str | Path | None, skip_unreadable: bool) -> ImageDataset:
    images = load_vision(dataset, split, data)
    return without_unreadable(images) if skip_unreadable else images


def _splits_of(dataset: str, data: str | Path | None) -> list[str]:
    """The splits that are there by name: folders, or those of a known dataset."""
    spec = dataset_spec(dataset)
    if data is None or not Path(data).is_dir():
        return list(spec.splits) or ["train", "validation", "test"]
    files = find_parquet(spec, Path(data))
    inside = {entry.name for entry in Path(data).iterdir() if entry.is_dir()}
    return [name for name in SPLIT_NAMES if name in inside or any(belongs(file, name, spec) for file in files)]


def _first(names: Sequence[str], there: Sequence[str]) -> str | None:
    return next((name for name in names if name in there), None)


def _place(dataset: str, data: str | Path | None) -> str:
    return dataset if data is None else str(data)


def _with_classes_of(learned: ImageDataset, measured: ImageDataset) -> ImageDataset:
    """`measured` with the class numbers of `learned`; it may lack classes, but not have others."""
    if not learned.labels or not measured.labels or learned.labels == measured.labels:
        return measured
    strange = [name for name in measured.labels if name not in learned.labels]
    if strange:
        raise DataNotFoundError(
            f"Split {measured.split!r} has the class {strange[0]!r} ({len(strange)} such), which {learned.split!r} "
            f"does not have. Classes to learn: {', '.join(learned.labels[:8])}. Give both the same class folders."
        )
    numbers = [learned.labels.index(name) for name in measured.labels]
    return selected(measured, range(len(measured)), measured.split, numbers, learned.labels)


def _divided(images: ImageDataset, fraction: float, seed: int) -> tuple[ImageDataset, ImageDataset]:
    """Split off `fraction` of each class, at least one image, and leave at least one."""
    parts = hold_back(
        _class_numbers(images),
        fraction,
        seed,
        lambda n: repr(images.labels[n]) if images.labels else f"class {n}",
        "image",
    )
    whole = images.split or "all"
    names = (f"{whole}, {1 - fraction:.0%} of each class", f"{whole}, the other {fraction:.0%}")
    train, evaluation = (selected(images, indices, name) for indices, name in zip(parts, names, strict=True))
    return train, evaluation


def _class_numbers(images: ImageDataset) -> Sequence[int]:
    """Class numbers of all rows, without decoding images where the rows know them."""
    known = images.class_numbers()
    return known if known is not None else [images[index][1] for index in range(len(images))]

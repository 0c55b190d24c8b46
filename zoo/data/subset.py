"""Some images of a dataset, in another order or with other class numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.data.image_dataset import ImageDataset
from zoo.data.labels import class_key, unique_positions
from zoo.errors import ConfigurationError, DataNotFoundError, ShapeError

if TYPE_CHECKING:
    from PIL.Image import Image


class Selection:
    """Some rows of a dataset, with class numbers of another order.

    Args:
        images: the dataset.
        indices: which of its rows, in which order.
        numbers: the new number of each class; None leaves them.
    """

    def __init__(self, images: ImageDataset, indices: Sequence[int], numbers: Sequence[int] | None = None) -> None:
        self.images, self.indices, self.numbers = images, indices, numbers

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        image, label = self.images[self.indices[index]]
        return image, label if self.numbers is None else self.numbers[label]

    @property
    def targets(self) -> list[int] | None:
        """Class numbers, if they are known without decoding an image."""
        known = self.images.class_numbers()
        if known is None:
            return None
        own = [known[index] for index in self.indices]
        return own if self.numbers is None else [self.numbers[label] for label in own]

    def place(self, index: int) -> str:
        """Where an image lies, for messages."""
        return self.images.place(self.indices[index])


def selected(
    images: ImageDataset,
    indices: Sequence[int],
    split: str | None = None,
    numbers: Sequence[int] | None = None,
    labels: Sequence[str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> ImageDataset:
    """A dataset of some rows of another one.

    Args:
        images: the other one.
        indices: which rows, in which order.
        split: how to call the part.
        numbers: the new number of each class; None leaves them.
        labels: the classes that the new numbers count; None leaves them.
        more: what its `source` says besides.
    """
    names = images.labels if labels is None else tuple(labels)
    count = images.num_classes if labels is None else len(labels)
    return ImageDataset(
        images.name, split, Selection(images, indices, numbers), names, count, lambda: {**images.source, **(more or {})}
    )


def match_classes(
    images: ImageDataset, labels: Sequence[str], classes: Mapping[str, str | int] | None = None
) -> ImageDataset:
    """A dataset whose classes are some of a model's, with the model's class numbers; its `source` says which.

    Args:
        images: the dataset.
        labels: the model's class names by number.
        classes: of each class of the dataset the model's class, by name or number; None goes by equal names, compared
            without case and up to the first comma; a name that two classes share names neither.

    Raises:
        ConfigurationError: a class of the dataset is none of the model's, or `classes` does not name it.
    """
    exact, alike = {name: n for n, name in enumerate(labels) if labels.count(name) == 1}, unique_positions(labels)
    numbers = []
    for name in images.labels:
        if classes is not None and name not in classes:
            raise ConfigurationError(f"The class map does not say what {name!r} of {images.name} is to the model.")
        wanted = classes[name] if classes is not None else name
        number = wanted if isinstance(wanted, int) else exact.get(wanted, alike.get(class_key(wanted)))
        if number is None or not 0 <= number < len(labels):
            raise ConfigurationError(
                f"Class {name!r} of {images.name} is {wanted!r}, which is none of the model's {len(labels)} classes: "
                f"{', '.join(map(repr, labels[:5]))}, ... Say which it is in a class map (--classes FILE.json)."
            )
        numbers.append(number)
    told = {"classes": dict(zip(images.labels, numbers, strict=True))}
    return selected(images, range(len(images)), images.split, numbers, labels, told)


def without_unreadable(images: ImageDataset, advance: Callable[[int], None] = lambda _: None) -> ImageDataset:
    """The images that can be decoded; `source["skipped"]` lists the others with the reason of each.

    Every image is decoded once for it.

    Raises:
        DataNotFoundError: none can be.
    """
    readable, skipped = [], []
    for index in range(len(images)):
        try:
            _ = images[index]
        except (DataNotFoundError, ShapeError) as error:
            skipped.append(str(error))
        else:
            readable.append(index)
        advance(1)
    if not readable:
        raise DataNotFoundError(f"None of the {len(images)} images of {images.name} can be read. {skipped[0]}")
    return selected(images, readable, images.split, more={"skipped": skipped}) if skipped else images

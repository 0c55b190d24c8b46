"""An image classification dataset as every reader gives it, and the table of those known by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from zoo.data.photo import decoding
from zoo.data.preprocess import convert_image
from zoo.registry import Registry

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class DatasetSpec:
    """Location and layout of a dataset; the same for its Hub repository and for a local copy.

    Args:
        name: what users type.
        hub_id: Hub repository of the dataset, or None for a kind of folder.
        config: the repository's configuration, also the name of its folder.
        image_column: the column of images.
        label_column: the column of class numbers.
        splits: each split and the folder names it goes by in an ImageFolder; empty where any name will do.
        default_split: the one to evaluate on; None takes the folder itself.
        num_classes: how many classes there must be, or None.
        description: one line for people.
    """

    name: str
    hub_id: str | None
    config: str | None = None
    image_column: str = "image"
    label_column: str = "label"
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_split: str | None = None
    num_classes: int | None = None
    description: str = ""


DATASETS: Registry[DatasetSpec] = Registry("dataset")
_TRAIN_TEST = {"train": ("train",), "test": ("test",)}
_IMAGENET_SPLITS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
for _spec in (
    DatasetSpec(
        "cifar10", "uoft-cs/cifar10", "plain_text", "img", "label", _TRAIN_TEST, "test", 10, "10 classes, 32x32 px"
    ),
    DatasetSpec(
        "cifar100", "uoft-cs/cifar100", "cifar100", "img", "fine_label", _TRAIN_TEST, "test", 100, "100 classes, 32 px"
    ),
    DatasetSpec(
        "imagenet-1k",
        "ILSVRC/imagenet-1k",
        splits=_IMAGENET_SPLITS,
        default_split="validation",
        num_classes=1000,
        description="1,000 classes in the standard order; gated on the Hub",
    ),
    DatasetSpec("imagefolder", None, description="your own images, one folder per class"),
):
    DATASETS.add(_spec.name, _spec)


def dataset_spec(name: str) -> DatasetSpec:
    """A known dataset, or ORG/NAME of the Hub, whose columns and classes are then taken from its files.

    Raises:
        UnknownNameError: neither.
    """
    return DatasetSpec(name, name) if name not in DATASETS and name.count("/") == 1 else DATASETS.get(name)


class Rows(Protocol):
    """Anything that gives image and class number by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> "tuple[Image, int]": ...


class ImageDataset:
    """A map-style dataset of (RGB PIL image, class number), ready for torch's DataLoader and its worker processes.

    Args:
        name: the dataset's name in `DATASETS`.
        split: which part of it.
        rows: where images and class numbers come from.
        labels: the name of each class in the order of the numbers; empty if the files do not say.
        num_classes: how many classes there are.
        describe: makes `source`; called once, when it is first asked for, because hashing large files takes time.
    """

    def __init__(
        self,
        name: str,
        split: str | None,
        rows: Rows,
        labels: tuple[str, ...],
        num_classes: int,
        describe: Callable[[], dict[str, Any]],
    ) -> None:
        self.name, self.split, self.labels, self.num_classes = name, split, labels, num_classes
        self._rows, self._describe = rows, describe

    @cached_property
    def source(self) -> dict[str, Any]:
        """Source of the images, for the record: Hub repository and revision, or folder and file hashes."""
        return self._describe()

    def __len__(self) -> int:
        return len(self._rows)

    def class_numbers(self) -> list[int] | None:
        """Class numbers of all rows if they are known without decoding an image; else None."""
        targets: Any = getattr(self._rows, "targets", None)
        return None if targets is None else [int(target) for target in targets]

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} images, none of number {index}")
        with decoding(self.place(index)):
            image, label = self._rows[index]
            return convert_image(image), int(label)

    def place(self, index: int) -> str:
        """Where an image lies, for messages: the path of its file, or its number."""
        named: Any = getattr(self._rows, "place", None)
        samples: Any = getattr(self._rows, "samples", None)
        if named is not None:
            return str(named(index))
        return str(samples[index][0]) if samples else f"Image {index} of {self.name} ({self.split or 'all'})"

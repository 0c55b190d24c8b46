"""The images in a folder of class folders, as torchvision's ImageFolder lists them, of any folder that people have.

Hidden folders and files, and those made by programs, are no classes and no images; they and all other files that are
left out are counted in one warning. Links are followed once; a pipe, a device or a folder of the system is not read.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.photo import IMAGE_SUFFIXES
from zoo.errors import DataNotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image

_MADE_BY_PROGRAMS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN")
_SYSTEM = tuple(map(Path, ("/proc", "/sys", "/dev")))


class LeftOutWarning(UserWarning):
    """Files of a data folder that are no images of a class."""


@dataclass(frozen=True)
class ClassFolders:
    """Image and class number by position.

    Args:
        classes: names of the folders, sorted.
        samples: path and class number of each image.
        open_image: reads a path.
    """

    classes: tuple[str, ...]
    samples: list[tuple[str, int]]
    open_image: "Callable[[str], Image]"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def targets(self) -> list[int]:
        """Class numbers of all images."""
        return [number for _, number in self.samples]

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        path, number = self.samples[index]
        return self.open_image(path), number


def class_folders(root: Path, open_image: "Callable[[str], Image]") -> ClassFolders:
    """List the images below each folder in `root`.

    Args:
        root: an existing folder.
        open_image: reads a path.

    Raises:
        DataNotFoundError: a class has no images, or a name that is no text; a folder cannot be read or is the system's.
    """
    left_out: list[str] = []
    folders = [entry for entry in _entries(root) if Path(entry.path).is_dir()]
    classes = [entry.name for entry in folders if not _is_hidden(entry.name, entry.path, left_out)]
    above = [(state.st_dev, state.st_ino) for state in map(Path.stat, (root.resolve(), *root.resolve().parents))]
    samples = []
    for number, name in enumerate(classes):
        images = sorted(_images(root / name, left_out, set(above)))
        if not images:
            kinds = ", ".join(IMAGE_SUFFIXES)
            raise DataNotFoundError(f"The class folder {root / name} holds no image ({kinds}). Fill or remove it.")
        samples += [(os.path.join(folder, file), number) for folder, file in images]  # noqa: PTH118
    if left_out:
        few = ", ".join(left_out[:5]) + (", ..." if len(left_out) > 5 else "")
        warnings.warn(f"Left out of {root}, as no images of a class: {len(left_out)} ({few}).", LeftOutWarning, 4)
    return ClassFolders(tuple(classes), samples, open_image)


def _images(folder: Path, left_out: list[str], seen: set[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """Folder and name of each image; a folder that a link leads back to is not entered again."""
    place, state = folder.resolve(), folder.stat()
    if any(place == system or system in place.parents for system in _SYSTEM):
        raise DataNotFoundError(f"{_text(folder)!r} leads to {place}, a folder of the system. Remove the link.")
    if (state.st_dev, state.st_ino) in seen:
        left_out.append(f"{_text(folder)}: a link back")
        return
    seen.add((state.st_dev, state.st_ino))
    for entry in _entries(folder):
        if _is_hidden(entry.name, entry.path, left_out):
            continue
        if Path(entry.path).is_dir():
            yield from _images(Path(entry.path), left_out, seen)
        elif entry.name.lower().endswith(IMAGE_SUFFIXES) and Path(entry.path).is_file():
            yield str(folder), entry.name
        else:
            left_out.append(_text(Path(entry.path)))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DataNotFoundError(f"Cannot read the folder {_text(folder)!r}: {error.strerror}.") from error


def _is_hidden(name: str, path: str, left_out: list[str]) -> bool:
    """True for what people did not put there; refuse a name that no label can be."""
    if _text(Path(name)) != name:
        raise DataNotFoundError(f"The name of {_text(Path(path))!r} is not valid UTF-8. Rename it.")
    if hidden := name.startswith(".") or name in _MADE_BY_PROGRAMS:
        left_out.append(path)
    return hidden


def _text(path: Path) -> str:
    """A path as text, also where its bytes are none."""
    return str(path).encode("utf-8", "backslashreplace").decode()

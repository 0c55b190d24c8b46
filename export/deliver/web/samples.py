"""The images a page offers: those of this package, or any the user names."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from export.parity.shipped import shipped_images
from zoo.data.photo import decoding
from zoo.errors import DataNotFoundError

# What every browser reads.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
MOST = 12
# Which of the shipped images a page shows: one of each of eight classes.
_SHOWN = (0, 1, 4, 5, 6, 7, 8, 9)
_SHIPPED_NOTE = (
    "Test images of CIFAR-10, 32 x 32 pixels: Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "technical report, University of Toronto, 2009, https://www.cs.toronto.edu/~kriz/cifar.html. The authors state no "
    "licence and ask that work using the images cites the report."
)
_GIVEN_NOTE = "The sample images were added by whoever made this page; their licence is theirs to state."


@dataclass(frozen=True)
class Sample:
    """One image: the name of its file on the page, what to call it, and its bytes."""

    file: str
    title: str
    content: bytes


def collect_samples(images: str | Path | Sequence[str | Path] | None) -> tuple[list[Sample], str]:
    """The images for a page and a note on where they come from.

    Args:
        images: a folder, one file or several; None takes eight of the package's CIFAR-10 images.

    Returns:
        At most `MOST` samples, in the order of the file names for a folder, and the note.

    Raises:
        DataNotFoundError: a file is missing, or is no image that a browser reads, or a folder holds none.
    """
    if images is None:
        pictures = shipped_images()
        shown = [Sample(f"samples/{i}.png", f"CIFAR-10 test image {i}", as_png(pictures[i])) for i in _SHOWN]
        return shown, _SHIPPED_NOTE
    files = _files(images)
    return [_given(i, file) for i, file in enumerate(files[:MOST], 1)], _GIVEN_NOTE


def as_png(image: Image.Image) -> bytes:
    """The image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _files(images: str | Path | Sequence[str | Path]) -> list[Path]:
    if not isinstance(images, str | Path):
        return [Path(file) for file in images]
    place = Path(images)
    if not place.is_dir():
        return [place]
    files = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise DataNotFoundError(f"{place} holds no image for the page. Put files there that end in {_list()}.")
    return files


def _given(number: int, file: Path) -> Sample:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataNotFoundError(
            f"{file} is no image for the page: its name does not end in {_list()}. Name another one."
        )
    with decoding(str(file)), Image.open(file) as image:
        image.verify()
        content = file.read_bytes()
    return Sample(f"samples/{number}{suffix}", file.stem.replace("_", " "), content)


def _list() -> str:
    return ", ".join(SUFFIXES)

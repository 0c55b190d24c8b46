"""One image file of a user, opened as people see it, with everything that was done to it said in words."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.preprocess import convert_image
from zoo.errors import DataNotFoundError, ShapeError, ZooError

if TYPE_CHECKING:
    from PIL.Image import Image


IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif"
)  # fmt: skip
# What is decoded of bytes that anybody sends: nothing that starts another program, as EPS does.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
# A damaged file may make Pillow raise any of these; SyntaxError is a PNG's, the others come out of parsers.
_DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, ZeroDivisionError,
    AssertionError, RuntimeError, EOFError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """An image ready for `Preprocess`.

    Args:
        image: 8-bit RGB, upright.
        size: width and height in the file, in pixels.
        notes: what is not as in the file, one sentence each.
    """

    image: "Image"
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def open_photo(path: str | Path) -> Photo:
    """Read an image file.

    A camera's orientation (EXIF) is applied, as every viewer does; data sets are evaluated without that, since their
    models were trained so. Greyscale is repeated in three channels, CMYK converted, transparency dropped, and of an
    animation the first frame is taken; the notes say so.

    Args:
        path: any format that Pillow reads.

    Raises:
        DataNotFoundError: no such file; no image, or a damaged one; more pixels than Pillow's limit for untrusted
            files (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million).
        ShapeError: 32 bits a channel, of which nobody knows which range to show.
    """
    from PIL import Image

    file = Path(path)
    with decoding(str(file)):
        try:
            there = file.is_file()
        except OSError as error:
            name = str(file) if len(str(file)) <= 300 else f"{str(file)[:200]}...{str(file)[-60:]}"
            raise DataNotFoundError(f"Cannot read {name}: {error.strerror}. Check the path.") from error
        if not there:
            raise DataNotFoundError(f"There is no file {file}. Check the path.")
        with Image.open(file) as found:
            return _upright(found)


def decode_photo(content: bytes, what: str = "The image") -> Photo:
    """As `open_photo`, of bytes that anybody may have sent.

    Args:
        content: an image in one of the formats of `IMAGE_SUFFIXES`; Pillow's others are not tried.
        what: its name for messages.

    Raises:
        DataNotFoundError: it is no such image, a damaged one, or one of more pixels than `open_photo` takes.
        ShapeError: 32 bits a channel.
    """
    from PIL import Image

    with decoding(what):
        Image.init()
        with Image.open(io.BytesIO(content), formats=[name for name in _FORMATS if name in Image.OPEN]) as found:
            return _upright(found)


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Turn whatever Pillow raises over a damaged or hostile image into one error that names it.

    Args:
        what: the file's path, or which image of a table.

    Raises:
        DataNotFoundError: it is no image, damaged, or has more pixels than Pillow's limit.
        ShapeError: 32 bits a channel.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # names no file; what it is about fails, or does no harm
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ShapeError as error:
        raise ShapeError(f"{what}: {error}") from error
    except ZooError:
        raise
    except UnidentifiedImageError as error:
        raise DataNotFoundError(f"{what} is no image that Pillow can read. Save it as PNG or JPEG.") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataNotFoundError(
            f"{what} has more than {Image.MAX_IMAGE_PIXELS:,} pixels, Pillow's limit for files of unknown origin. Make "
            "a smaller copy of it."
        ) from error
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataNotFoundError(f"{what} cannot be decoded: {reason}. Is it whole?") from error


def _upright(found: "Image") -> Photo:
    """The first frame, turned as its EXIF data say, in RGB."""
    from PIL import ImageOps

    notes, size = [], found.size
    frames = getattr(found, "n_frames", 1)
    if frames > 1:
        notes.append(f"The first of {frames} frames is used.")
    found.load()
    turned = ImageOps.exif_transpose(found)
    if found.getexif().get(0x0112, 1) not in (0, 1):
        notes.append("Turned as its EXIF orientation says.")
    if turned.mode.startswith("I;16"):
        notes.append("16-bit greyscale: scaled to 8 bits, the same in all three channels.")
    elif turned.mode in ("L", "LA", "1"):
        notes.append("Greyscale: the same in all three channels.")
    elif turned.mode in ("CMYK", "YCCK"):
        notes.append("Converted from CMYK without its colour profile.")
    if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
        notes.append("Transparency is dropped.")
    return Photo(convert_image(turned).copy(), size, tuple(notes))

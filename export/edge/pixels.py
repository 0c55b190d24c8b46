"""From an image file to 8-bit pixels: by Pillow where it is installed, else PNG and PPM by ourselves."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeError
from .png import SIGNATURE, read_png

Pixels = NDArray[np.uint8]
_MODES = {1: "L", 3: "RGB"}
# Magic number, width, height and largest value, parted by blanks and comments; one blank, then the pixels.
_PNM = re.compile(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s", re.DOTALL)


def read_image(file: str | Path, channels: int) -> Pixels:
    """Decode an image.

    Args:
        file: PNG or PPM/PGM; with Pillow installed anything it reads.
        channels: 1 (grey) or 3 (RGB).

    Returns:
        (height, width, channels), uint8; transparency is dropped.

    Raises:
        EdgeError: there is no such file, it is damaged, or it needs Pillow.
    """
    if channels not in _MODES:
        raise EdgeError(f"The model takes {channels} channels; an image file gives 1 or 3. Feed it tensors instead.")
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise EdgeError(f"Cannot read {file}: {error.strerror}.") from error
    try:
        if pillow() is not None:
            return _by_pillow(Path(file), channels)
        return _in_channels(_decoded(content), channels)
    except EdgeError as error:
        raise EdgeError(f"Cannot read {file}: {error}.") from error


def pillow() -> Any:
    """Pillow's module `Image`, or None where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def _decoded(content: bytes) -> Pixels:
    if content.startswith(SIGNATURE):
        return read_png(content)
    header = _PNM.match(content)
    if header is None:
        raise EdgeError("without Pillow only PNG and binary PPM or PGM can be read: pip install pillow")
    width, height, largest = (int(header[i]) for i in (2, 3, 4))
    shape = (height, width, 3 if header[1] == b"6" else 1)
    if largest != 255:
        raise EdgeError(f"its largest value is {largest}, not 255: pip install pillow")
    body = content[header.end() : header.end() + shape[0] * shape[1] * shape[2]]
    if not body or len(body) < shape[0] * shape[1] * shape[2]:
        raise EdgeError("it is truncated")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _in_channels(pixels: Pixels, channels: int) -> Pixels:
    """Grey repeated, or colours weighed as Pillow does it: ITU-R 601, in integers."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(3, 2)
    grey = pixels.astype(np.int64) @ np.array([19595, 38470, 7471])
    rounded: Pixels = ((grey + 0x8000) >> 16).astype(np.uint8)
    return rounded[:, :, None]


def _by_pillow(file: Path, channels: int) -> Pixels:
    """What `zoo.data.preprocess.convert_image` makes of the file."""
    module = pillow()
    try:
        with module.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise EdgeError(f"its pixels are of mode {image.mode}; 8 bits a channel are needed")
            if image.mode == "P" and "transparency" in image.info:
                image = image.convert("RGBA")
            pixels: Pixels = np.asarray(image.convert(_MODES[channels]))
    except (OSError, ValueError, SyntaxError, module.DecompressionBombError) as error:
        raise EdgeError(f"Pillow does not read it: {error}") from error
    return pixels.reshape(*pixels.shape[:2], channels)

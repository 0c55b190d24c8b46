"""From an image file to a model's input, number for number as `Preprocess` of the zoo makes it with timm and Pillow.

out[c] = (pixel[c] / 255 - mean[c]) / std[c], in float32, of the image resized and cut to the model's size.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeError

Pixels = NDArray[np.uint8]
_MODES = {1: "L", 3: "RGB"}


def read_image(file: str | Path, channels: int) -> Pixels:
    """Decode an image as `zoo.data.preprocess.convert_image` does.

    Args:
        file: of any kind that Pillow reads.
        channels: 1 (grey) or 3 (RGB).

    Returns:
        (height, width, channels), uint8; transparency is dropped.

    Raises:
        EdgeError: there is no such file, Pillow does not read it or is not installed, it is damaged, has 32 bits a
            channel, or more pixels than Pillow's limit for files of unknown origin.
    """
    if channels not in _MODES:
        raise EdgeError(f"The model takes {channels} channels; an image file gives 1 or 3. Feed it tensors instead.")
    module = _pillow()
    try:
        with module.open(file) as image:
            if image.mode.startswith("I;16"):
                values = np.asarray(image).astype(np.uint32)
                image = module.fromarray(((values + 128) // 257).astype(np.uint8))
            if image.mode.startswith(("I", "F")):
                raise EdgeError(
                    f"Cannot read {file}: its pixels are of mode {image.mode}, 8 or 16 bits a channel are needed."
                )
            if image.mode == "P" and "transparency" in image.info:
                image = image.convert("RGBA")
            pixels: Pixels = np.asarray(image.convert(_MODES[channels]))
    except EdgeError:
        raise
    except module.DecompressionBombError as error:
        raise EdgeError(f"Cannot read {file}: {error} Make a smaller copy of it.") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or f"Pillow does not read it ({error})"
        raise EdgeError(f"Cannot read {file}: {reason}.") from error
    return pixels.reshape(*pixels.shape[:2], channels)


def prepare(pixels: Pixels, record: Mapping[str, Any]) -> NDArray[np.float32]:
    """Resize, cut, scale and normalise.

    Args:
        pixels: (height, width, channels).
        record: the file's `salu_zoo.preprocess`: input_size, interpolation, crop_pct, crop_mode, mean, std.

    Returns:
        (1, channels, height, width).

    Raises:
        EdgeError: the image is so narrow that nothing would be left of it, or Pillow is not installed.
    """
    size = record["input_size"][1:]
    fill = [0] * record["input_size"][0]
    if record["crop_mode"] == "border":
        fill = [round(255 * value) for value in record["mean"]]
    pixels = _cut(_resized(pixels, _new_size(pixels.shape[:2], record), record["interpolation"]), size, fill)
    scaled = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    mean, std = (np.array(record[name], np.float32)[:, None, None] for name in ("mean", "std"))
    return np.ascontiguousarray((scaled - mean) / std)[None]


def _pillow() -> Any:
    """Pillow's module `Image`; a text model needs none."""
    try:
        from PIL import Image
    except ImportError as error:
        raise EdgeError("A model for images needs Pillow: pip install pillow.") from error
    return Image


def _new_size(size: tuple[int, ...], record: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width to resize to; the roundings are those of timm and torchvision, case by case."""
    height, width = size
    wanted = [math.floor(side / record["crop_pct"]) for side in record["input_size"][1:]]
    if record["crop_mode"] == "squash":
        return wanted[0], wanted[1]
    ratios = height / wanted[0], width / wanted[1]
    if record["crop_mode"] == "border":
        return round(height / max(ratios)), round(width / max(ratios))
    if wanted[0] != wanted[1]:
        return round(height / min(ratios)), round(width / min(ratios))
    if width <= height:
        return int(wanted[0] * height / width), wanted[0]
    return wanted[0], int(wanted[0] * width / height)


def _resized(pixels: Pixels, size: tuple[int, int], interpolation: str) -> Pixels:
    if pixels.shape[:2] == size:
        return pixels
    if min(size) < 1:
        raise EdgeError(f"An image of {pixels.shape[1]} x {pixels.shape[0]} pixels would shrink to nothing. Crop it.")
    module, grey = _pillow(), pixels.shape[2] == 1
    image = module.fromarray(np.ascontiguousarray(pixels[:, :, 0] if grey else pixels))
    resized = image.resize((size[1], size[0]), module.Resampling[interpolation.upper()])
    return np.asarray(resized).reshape(*size, pixels.shape[2])


def _cut(pixels: Pixels, size: tuple[int, int], fill: list[int]) -> Pixels:
    """The middle of an image; one that is smaller is filled up around it first."""
    short = [max(0, wanted - found) for wanted, found in zip(size, pixels.shape[:2], strict=True)]
    if any(short):
        padded = np.empty((pixels.shape[0] + short[0], pixels.shape[1] + short[1], len(fill)), np.uint8)
        padded[:] = fill
        top, left = short[0] // 2, short[1] // 2
        padded[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        pixels = padded
    top, left = (round((found - wanted) / 2) for wanted, found in zip(size, pixels.shape[:2], strict=True))
    return pixels[top : top + size[0], left : left + size[1]]

"""From pixels to a model's input, number for number as `Preprocess` of the zoo makes it with timm and Pillow.

out[c] = (pixel[c] / 255 - mean[c]) / std[c], in float32, of the image resized and cut to the model's size.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeError
from .pixels import pillow
from .resample import resize

Pixels = NDArray[np.uint8]
# The first release of Pillow whose resizing is that of `resample`.
_PILLOW = 13


def prepare(pixels: Pixels, record: Mapping[str, Any]) -> NDArray[np.float32]:
    """Resize, cut, scale and normalise.

    Args:
        pixels: (height, width, channels).
        record: the file's `salu_zoo.preprocess`: input_size, interpolation, crop_pct, crop_mode, mean, std.

    Returns:
        (1, channels, height, width).

    Raises:
        EdgeError: the image is so narrow that nothing would be left of it.
    """
    size = record["input_size"][1:]
    fill = [0] * record["input_size"][0]
    if record["crop_mode"] == "border":
        fill = [round(255 * value) for value in record["mean"]]
    pixels = _cut(_resized(pixels, _new_size(pixels.shape[:2], record), record["interpolation"]), size, fill)
    scaled = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    mean, std = (np.array(record[name], np.float32)[:, None, None] for name in ("mean", "std"))
    return np.ascontiguousarray((scaled - mean) / std)[None]


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
    module = pillow()
    if module is None or int(module.__version__.partition(".")[0]) < _PILLOW:
        return resize(pixels, size, interpolation)
    grey = pixels.shape[2] == 1
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

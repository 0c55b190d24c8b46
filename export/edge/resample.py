"""Resizing 8-bit images to the bit as Pillow does it, in numpy.

Each output pixel is a weighted mean of the input pixels under a filter that is as wide as the image shrinks. Pillow
computes the weights in float64, rounds them to multiples of 2**-22, sums in integers and rounds to 8 bits after the
first pass and again after the second. Source: Pillow's `Image.resize` since release 13, with which the tests compare;
earlier releases always began with the horizontal pass, so theirs can differ by a step where the height shrinks most.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_BITS = 22  # 32, less 8 for a pixel and 2 for filters whose weights exceed 1 or fall below 0


def resize(pixels: Pixels, size: tuple[int, int], filter_name: str) -> Pixels:
    """Resize an image.

    Args:
        pixels: (height, width, channels), uint8.
        size: the new height and width.
        filter_name: "nearest", "box", "bilinear", "hamming", "bicubic" or "lanczos".

    Returns:
        (new height, new width, channels), uint8.
    """
    height, width = size
    if filter_name == "nearest":
        return _nearest(_nearest(pixels, width, 1), height, 0)
    vertical_first = pixels.shape[0] - height > max(0, 2 * (pixels.shape[1] - width))
    for axis in (0, 1) if vertical_first else (1, 0):
        if pixels.shape[axis] != size[axis]:
            pixels = _stretch(pixels.swapaxes(0, axis), size[axis], filter_name).swapaxes(0, axis)
    return np.ascontiguousarray(pixels)


def _stretch(pixels: Pixels, size: int, filter_name: str) -> Pixels:
    """Filter along the first axis; one term of all the sums at a time, so that memory stays that of the result."""
    first, weights = _weights(pixels.shape[0], size, filter_name)
    total = np.full((size, *pixels.shape[1:]), 1 << (_BITS - 1), np.int32)
    for i in range(weights.shape[1]):
        rows = np.minimum(first + i, pixels.shape[0] - 1)  # beyond the image the weight is 0
        total += pixels[rows] * weights[:, i, None, None]
    return np.asarray(np.clip(total >> _BITS, 0, 255), np.uint8)


def _weights(size: int, new_size: int, filter_name: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """For each output pixel the first input pixel, and the weights from there on as multiples of 2**-22."""
    function, support = _FILTERS[filter_name]
    scale = size / new_size
    stretch = max(scale, 1.0)
    support *= stretch
    centre = (np.arange(new_size) + 0.5) * scale
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + support + 0.5).astype(np.int64), size) - first
    offset = np.arange(int(np.ceil(support)) * 2 + 1)
    values = function((offset + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch))
    values[offset >= count[:, None]] = 0.0
    total = np.zeros(new_size)
    for i in offset:  # one after the other: numpy's own sum adds in another order and rounds otherwise
        total += values[:, i]
    values /= np.where(total == 0.0, 1.0, total)[:, None]
    scaled = values * (1 << _BITS)
    return first, (scaled + np.where(values < 0, -0.5, 0.5)).astype(np.int32)


def _nearest(pixels: Pixels, size: int, axis: int) -> Pixels:
    if size == pixels.shape[axis]:
        return pixels
    step = pixels.shape[axis] / size
    position, chosen = step * 0.5, []
    for _ in range(size):  # added up, as Pillow does it: a product rounds otherwise
        chosen.append(int(position))
        position += step
    return pixels.take(chosen, axis)


def _box(x: NDArray[Any]) -> NDArray[Any]:
    return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _bilinear(x: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.maximum(1.0 - np.abs(x), 0.0))


def _hamming(x: NDArray[Any]) -> NDArray[Any]:
    # The two constants are float32 there, and so is the 0.46 that multiplies a float64.
    window = float(np.float32(0.54)) + float(np.float32(0.46)) * np.cos(np.abs(x) * np.pi)
    return np.where(np.abs(x) < 1.0, _sinc(np.abs(x)) * window, 0.0)


def _bicubic(x: NDArray[Any]) -> NDArray[Any]:
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))


def _lanczos(x: NDArray[Any]) -> NDArray[Any]:
    return np.where((x >= -3.0) & (x < 3.0), _sinc(x) * _sinc(x / 3), 0.0)


def _sinc(x: NDArray[Any]) -> NDArray[Any]:
    angle = np.where(x == 0.0, 1.0, x * np.pi)
    return np.where(x == 0.0, 1.0, np.sin(angle) / angle)


_FILTERS: dict[str, tuple[Callable[[NDArray[Any]], NDArray[Any]], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "hamming": (_hamming, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}

"""From "64MiB" to a feature map of about that size."""

import math
import re

import torch

from zoo.errors import ConfigurationError

_UNITS = {"kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
CHANNELS, SIDE = 64, 32
"""Of the first stage of a ResNet on images of 32 pixels."""


def elements(size: str, dtype: torch.dtype) -> int:
    """Return the number of elements in a tensor of this size.

    Args:
        size: a number of elements, or of bytes with a unit: "1000000", "64MB", "64MiB".
        dtype: of the tensor.

    Raises:
        ConfigurationError: `size` is neither, or less than one element.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", size.strip())
    unit = next((u for u in _UNITS if found and found[2].lower() == u.lower()), "")
    if found is None or (found[2] and not unit):
        raise ConfigurationError(
            f"size={size!r} is no size. Give a number of elements, or of bytes with one of {', '.join(_UNITS)}."
        )
    count = float(found[1]) * _UNITS[unit] / dtype.itemsize if unit else float(found[1])
    if count < 1:
        raise ConfigurationError(f"size={size!r} is less than one element of {dtype}. Give a larger one.")
    return math.floor(count)


def map_shape(count: int) -> tuple[int, int, int, int]:
    """(n, c, h, w) of at most `count` elements, but for the least that a norm layer takes: two positions.

    64 channels and 32 by 32 positions where they fit; smaller maps otherwise.
    """
    channels, side = CHANNELS, SIDE
    while channels * side * side > count and side > 4:
        side //= 2
    while channels * side * side > count and channels > 1:
        channels //= 2
    while channels * side * side > count and side > 2:
        side //= 2
    return max(1, count // (channels * side * side)), channels, side, side

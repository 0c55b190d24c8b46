"""Resizing in numpy against Pillow, bit by bit."""

import random

import numpy as np
import PIL
import pytest
from PIL import Image

from export.edge.resample import resize

FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
needs_pillow_13 = pytest.mark.skipif(
    int(PIL.__version__.partition(".")[0]) < 13, reason="Pillow before 13 takes the passes in another order"
)


def by_pillow(pixels, size, name):
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    resized = image.resize((size[1], size[0]), Image.Resampling[name.upper()])
    return np.asarray(resized).reshape(*size, pixels.shape[2])


def sizes(count, largest, seed):
    """Random heights and widths, before and after; often one stays, or all are tiny."""
    draw = random.Random(seed)
    for _ in range(count):
        top = draw.choice([3, largest, largest])
        before = draw.randint(1, top), draw.randint(1, top)
        after = [draw.randint(1, top), draw.randint(1, top)]
        if draw.random() < 0.2:
            axis = draw.randint(0, 1)
            after[axis] = before[axis]
        yield before, tuple(after)


@needs_pillow_13
@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("kind", ["noise", "black and white"])
def test_every_bit_is_pillows(name, kind):
    random_numbers = np.random.default_rng(5)
    for before, after in sizes(80, 70, seed=7):
        pixels = random_numbers.integers(0, 256, (*before, random_numbers.choice([1, 3])), dtype=np.uint8)
        if kind != "noise":
            pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
        np.testing.assert_array_equal(
            resize(pixels, after, name), by_pillow(pixels, after, name), f"{before} to {after}"
        )


@needs_pillow_13
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((500, 375), (256, 192)),
        ((1, 300), (224, 224)),
        ((301, 3), (224, 224)),
        ((33, 32), (232, 232)),
        ((640, 7), (9, 8)),
    ],
)
def test_usual_and_extreme_sizes(name, before, after):
    pixels = np.random.default_rng(1).integers(0, 256, (*before, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(pixels, after, name), by_pillow(pixels, after, name))


@needs_pillow_13
def test_order_of_the_passes_matters_and_is_pillows():
    """Where the height shrinks most the vertical pass comes first; the other order gives other pixels."""
    pixels = np.random.default_rng(2).integers(0, 256, (49, 7, 1), dtype=np.uint8)
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1))
    upright, lying = resize(pixels, (40, 52), "bicubic"), resize(turned, (52, 40), "bicubic").swapaxes(0, 1)
    np.testing.assert_array_equal(upright, by_pillow(pixels, (40, 52), "bicubic"))
    np.testing.assert_array_equal(upright, lying)
    growing = resize(pixels, (60, 52), "bicubic")
    np.testing.assert_array_equal(growing, by_pillow(pixels, (60, 52), "bicubic"))
    assert not np.array_equal(growing, resize(turned, (52, 60), "bicubic").swapaxes(0, 1))

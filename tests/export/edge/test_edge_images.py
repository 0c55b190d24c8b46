"""The input a folder makes of an image against `Preprocess`, bit by bit, with Pillow and without."""

import random

import numpy as np
import pytest
from PIL import Image

from export.edge import images
from export.edge.errors import EdgeError
from export.edge.images import prepare
from zoo.data.preprocess import CROP_MODES, INTERPOLATIONS, Preprocess


@pytest.fixture(params=[True, False], ids=["with Pillow", "without"])
def with_or_without_pillow(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(images, "pillow", lambda: None)


@pytest.mark.parametrize("crop_mode", CROP_MODES)
@pytest.mark.usefixtures("with_or_without_pillow")
def test_every_bit_is_preprocess(crop_mode):
    draw, numbers = random.Random(3), np.random.default_rng(3)
    for _ in range(40):
        channels = draw.choice([1, 3])
        preprocess = Preprocess(
            (channels, *draw.choice([(8, 8), (32, 32), (17, 17), (24, 16), (16, 31)])),
            draw.choice(INTERPOLATIONS),
            draw.choice([1.0, 0.95, 0.9, 0.875, 0.7]),
            crop_mode,
            tuple(map(float, numbers.uniform(0.2, 0.6, channels))),
            tuple(map(float, numbers.uniform(0.1, 0.4, channels))),
        )
        pixels = numbers.integers(0, 256, (draw.randint(4, 90), draw.randint(4, 90), channels), dtype=np.uint8)
        expected = preprocess(Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)).numpy()
        found = prepare(pixels, preprocess.to_dict())
        assert found.shape == (1, *expected.shape)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[0].view(np.int32), expected.view(np.int32), repr(preprocess))


def test_old_pillow_is_not_asked_to_resize(monkeypatch):
    """Its passes come in another order, so its pixels are others."""

    class Old:
        __version__ = "12.2.0"

    preprocess = Preprocess((1, 40, 52), "bicubic", 1.0, "squash", (0.0,), (1.0,))
    pixels = np.random.default_rng(2).integers(0, 256, (49, 7, 1), dtype=np.uint8)
    expected = prepare(pixels, preprocess.to_dict())
    monkeypatch.setattr(images, "pillow", Old)
    np.testing.assert_array_equal(prepare(pixels, preprocess.to_dict()), expected)


def test_an_image_too_narrow():
    record = Preprocess((3, 8, 8), "bicubic", 1.0, "border", (0.5,) * 3, (0.2,) * 3).to_dict()
    with pytest.raises(EdgeError, match="of 1 x 90 pixels would shrink to nothing"):
        prepare(np.zeros((90, 1, 3), np.uint8), record)

"""Pictures that are hard on a preprocessing: odd sizes, sharp edges, every mode a PNG has."""

import numpy as np
from PIL import Image

from zoo.data.preprocess import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise over a gradient, RGB: neighbouring pixels differ much, so that a wrong weight shows."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    slope = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    return Image.fromarray(np.where(noise > 200, noise, (noise + 2 * slope) / 3).astype(np.uint8))


def pictures() -> dict[str, Image.Image]:
    """By the name of the file, all of them without loss."""
    colour = picture(90, 61, 4)
    clear = colour.copy()
    clear.putalpha(Image.fromarray(np.random.default_rng(5).integers(0, 256, (61, 90), dtype=np.uint8)))
    return {
        "small.png": picture(7, 5, 1),
        "equal.png": picture(24, 24, 2),
        "wide.png": picture(301, 97, 3),
        "tall.png": picture(97, 301, 6),
        "grey.png": colour.convert("L"),
        "palette.png": colour.quantize(16),
        "transparent.png": clear,
    }


def preprocesses() -> list[Preprocess]:
    """Every interpolation and crop mode, square and not, with and without a margin, in colour and grey."""
    grey = Preprocess((1, 20, 20), "bicubic", 0.875, "center", (0.5,), (0.25,))
    return [
        Preprocess((3, 24, 24), "bicubic", 1.0, "center", MEAN, STD),
        Preprocess((3, 24, 24), "bilinear", 0.875, "center", MEAN, STD),
        Preprocess((3, 17, 17), "lanczos", 0.9, "center", MEAN, STD),
        Preprocess((3, 24, 24), "hamming", 0.95, "center", MEAN, STD),
        Preprocess((3, 24, 24), "box", 1.0, "center", MEAN, STD),
        Preprocess((3, 24, 24), "nearest", 0.875, "center", MEAN, STD),
        Preprocess((3, 16, 25), "bicubic", 0.9, "center", MEAN, STD),
        Preprocess((3, 24, 24), "bicubic", 0.875, "squash", MEAN, STD),
        Preprocess((3, 24, 19), "bilinear", 0.9, "border", MEAN, STD),
        grey,
    ]

"""The images of a parity check that is given none: twenty real ones, in this package.

`images.webp` holds test images of CIFAR-10 side by side, 32 x 32 pixels each and lossless: the first two of each
class, in the order of the test split. Source: Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images,
technical report, University of Toronto, 2009, https://www.cs.toronto.edu/~kriz/cifar.html. The licence of this
repository covers its code, not these images.
"""

from importlib.resources import files

import torch
from PIL import Image
from torch import Tensor

from export.parity.probes import seeded_images
from zoo.data.preprocess import Preprocess, convert_image

SIDE = 32
# An image file becomes an input of one (greyscale) or three channels (RGB).
CHANNELS = (1, 3)


def shipped_images() -> list[Image.Image]:
    """The twenty images, RGB."""
    with (files("export.parity") / "images.webp").open("rb") as stream, Image.open(stream) as strip:
        pixels = convert_image(strip)
    return [pixels.crop((left, 0, left + SIDE, SIDE)) for left in range(0, pixels.width, SIDE)]


def default_images(preprocess: Preprocess) -> tuple[Tensor, str]:
    """The shipped images as a model's input; synthetic ones where it takes neither one channel nor three.

    Args:
        preprocess: the model's own; it resizes them to the model's size.

    Returns:
        The tensor (n, channels, height, width) and a description for the report.
    """
    if preprocess.input_size[0] in CHANNELS:
        pictures = shipped_images()
        return torch.stack([preprocess(picture) for picture in pictures]), f"{len(pictures)} CIFAR-10 test images"
    images = seeded_images(preprocess)
    return images, f"{len(images)} seeded synthetic images (no image file has {preprocess.input_size[0]} channels)"

"""Training-time changes of images: on whole uint8 batches, on whole normalised batches, and on single PIL images."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.data.preprocess import Preprocess, convert_image
from zoo.errors import RecipeError
from zoo.training.recipe import AugmentationRecipe

# The PIL mode of an image by the number of channels the model takes.
_MODES = {1: "L", 3: "RGB"}


def padded_windows(images: Tensor, recipe: AugmentationRecipe) -> Tensor:
    """Pad `images` (N, C, H, W, uint8) and return every window of the old size as a view (N, C, dy, dx, H, W)."""
    if recipe.crop == "none" or recipe.padding == 0:
        return images[:, :, None, None]
    height, width = images.shape[-2:]
    mode = "reflect" if recipe.padding_mode == "reflect" else "constant"
    padded = torch.cat([F.pad(part, [recipe.padding] * 4, mode=mode) for part in images.split(1000)])
    return padded.unfold(2, height, 1).unfold(3, width, 1)


def crop_and_flip(windows: Tensor, indices: Tensor, flip: float, rng: torch.Generator) -> Tensor:
    """Take one random window of each image in `indices`, mirrored with probability `flip`; (n, C, H, W) uint8."""
    n, (rows, columns) = len(indices), windows.shape[2:4]
    top = torch.randint(rows, (n,), generator=rng)
    left = torch.randint(columns, (n,), generator=rng)
    mirrored = torch.rand(n, generator=rng) < flip
    images = windows[indices, :, top, left]
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def cutout(images: Tensor, size: int, rng: torch.Generator) -> Tensor:
    """Set one `size` × `size` square of each normalised image to 0, the mean colour; in place.

    The square's centre is anywhere in the image, so squares at the border are cut off (DeVries and Taylor, 2017).
    """
    n, _, height, width = images.shape
    top = torch.randint(height, (n, 1), generator=rng) - size // 2
    left = torch.randint(width, (n, 1), generator=rng) - size // 2
    y, x = torch.arange(height), torch.arange(width)
    rows = (y >= top) & (y < top + size)
    columns = (x >= left) & (x < left + size)
    hole = (rows[:, None, :, None] & columns[:, None, None, :]).to(images.device)
    return images.masked_fill_(hole, 0)


def erase_rectangles(images: Tensor, probability: float) -> Tensor:
    """timm's random erasing with a constant colour, in place; draws from Python's global generator."""
    from timm.data.random_erasing import RandomErasing

    return RandomErasing(probability, mode="const", device=images.device)(images)  # type: ignore[no-any-return]


def resize_batch(images: Tensor, size: int) -> Tensor:
    """Resize (n, C, H, W) to `size` × `size` with antialiased bilinear interpolation; unchanged if it fits already."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


def pil_transform(recipe: AugmentationRecipe, preprocess: Preprocess) -> Callable[[Any], Tensor]:
    """Build the per-image training transform: greyscale or RGB, crop, flip, policy, tensor, normalise.

    It draws from torch's and Python's global generators; the caller seeds them.

    Returns:
        A function from a PIL image to a float32 tensor (C, H, W).

    Raises:
        RecipeError: the model takes neither one channel nor three.
    """
    from torchvision import transforms as T

    channels = preprocess.input_size[0]
    if channels not in _MODES:
        raise RecipeError(f"model.args: the model takes {channels} channels; images give 1 (greyscale) or 3 (RGB).")
    size = recipe.size or preprocess.input_size[-1]
    interpolation = T.InterpolationMode(preprocess.interpolation)
    steps: list[Any] = [partial(convert_image, mode=_MODES[channels])]
    if recipe.crop == "resized":
        steps += [T.RandomResizedCrop(size, recipe.scale, recipe.ratio, interpolation=interpolation)]
    else:
        steps += [T.Resize((size, size), interpolation=interpolation)]
        if recipe.crop == "pad":
            mode = "reflect" if recipe.padding_mode == "reflect" else "constant"
            steps += [T.RandomCrop(size, padding=recipe.padding, padding_mode=mode)]
    steps += [T.RandomHorizontalFlip(recipe.flip)]
    policies: dict[str, Callable[[], Any]] = {
        "autoaugment-cifar10": lambda: T.AutoAugment(T.AutoAugmentPolicy.CIFAR10),
        "autoaugment-imagenet": lambda: T.AutoAugment(T.AutoAugmentPolicy.IMAGENET),
        "trivial-wide": T.TrivialAugmentWide,
    }
    steps += [policies[recipe.policy]()] if recipe.policy != "none" else []
    steps += [T.ToTensor(), T.Normalize(preprocess.mean, preprocess.std)]
    return T.Compose(steps)  # type: ignore[no-any-return]

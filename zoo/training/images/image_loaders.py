"""Two ways from a data set to normalised batches: one tensor for small images, worker processes for the rest."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.data.loading import ModelInputs, Samples, load_batches
from zoo.data.preprocess import Preprocess, convert_image
from zoo.errors import RecipeError
from zoo.training.images.augment import crop_and_flip, padded_windows, pil_transform
from zoo.training.images.step_plan import Part
from zoo.training.recipe import Recipe
from zoo.training.seeds import Purpose, derive, generator, seed_everything

Batch = tuple[Tensor, Tensor]
# TrainingImages decoded between two reports of progress.
_REPORT_EVERY = 250


class TrainingImages(Protocol):
    """A split that gives normalised float32 batches (n, C, H, W) with integer labels (n,)."""

    def __len__(self) -> int: ...

    def training(self, parts: Sequence[Part]) -> Iterator[Batch]:
        """Augmented batches, one for each part, in order."""
        ...

    def plain(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        """Batches as evaluation sees them, one for each tensor of indices."""
        ...


class TensorImages:
    """A split of small images, decoded once into one uint8 tensor (N, 3, H, W).

    Args:
        dataset: gives (PIL image, label) by position.
        recipe: its augmentation and seed.
        preprocess: the model's; images of another size are resized to its input once, as evaluation resizes them.
        rank: this process's number, part of every seed.
        augmented: whether `training` will be called (padding costs memory).
        advance: called while the images are decoded, with the number of those just done.

    Raises:
        RecipeError: the model takes no colour images, or evaluation would crop what is resized.
    """

    def __init__(
        self,
        dataset: Any,
        recipe: Recipe,
        preprocess: Preprocess,
        rank: int = 0,
        *,
        augmented: bool = True,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._recipe, self._rank = recipe, rank
        pixels, labels = _decode(dataset, preprocess, advance)
        self._images, self._labels = pixels, labels
        self._windows = padded_windows(pixels, recipe.augmentation) if augmented else None
        self._mean = torch.tensor(preprocess.mean).view(-1, 1, 1) * 255
        self._scale = 1 / (torch.tensor(preprocess.std).view(-1, 1, 1) * 255)

    def __len__(self) -> int:
        return len(self._labels)

    def training(self, parts: Sequence[Part]) -> Iterator[Batch]:
        """See `TrainingImages.training`."""
        if self._windows is None:
            raise RuntimeError("This split was opened for evaluation only.")
        flip = self._recipe.augmentation.flip
        for part in parts:
            seed = derive(self._recipe.runtime.seed, Purpose.AUGMENT, part.epoch, part.number, self._rank)
            images = crop_and_flip(self._windows, part.indices, flip, generator(seed))
            yield self._normalise(images), self._labels[part.indices]

    def plain(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        """See `TrainingImages.plain`."""
        for indices in chunks:
            yield self._normalise(self._images[indices]), self._labels[indices]

    def _normalise(self, images: Tensor) -> Tensor:
        return images.float().sub_(self._mean).mul_(self._scale)


class PilImages:
    """A split of images of any size, read and transformed one by one in worker processes.

    Every image is augmented under a seed of its own (run, epoch, position), so the number of workers changes nothing.

    Args:
        dataset: gives (PIL image, label) by position.
        recipe: its augmentation, seed and number of workers.
        preprocess: the model's; evaluation uses it as it is.

    Raises:
        RecipeError: the model takes neither greyscale nor RGB images.
    """

    def __init__(self, dataset: Any, recipe: Recipe, preprocess: Preprocess) -> None:
        self._dataset, self._recipe, self._preprocess = dataset, recipe, preprocess
        self._transform = pil_transform(recipe.augmentation, preprocess)

    def __len__(self) -> int:
        return len(self._dataset)

    def training(self, parts: Sequence[Part]) -> Iterator[Batch]:
        """See `TrainingImages.training`."""
        view = _Seeded(self._dataset, self._transform, self._recipe.runtime.seed)
        yield from self._load(view, [[(int(i), part.epoch) for i in part.indices] for part in parts])

    def plain(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        """See `TrainingImages.plain`."""
        yield from self._load(ModelInputs(self._dataset, self._preprocess), [chunk.tolist() for chunk in chunks])

    def _load(self, view: Samples, keys: list[list[Any]]) -> Iterator[Batch]:
        return load_batches(view, keys, self._recipe.runtime.workers)


class _Seeded:
    """(position, epoch) to (augmented tensor, label); the seed depends on nothing else."""

    def __init__(self, dataset: Any, transform: Any, seed: int) -> None:
        self._dataset, self._transform, self._seed = dataset, transform, seed

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        index, epoch = key
        seed_everything(derive(self._seed, Purpose.SAMPLE, epoch, index))
        image, label = self._dataset[index]
        return self._transform(image), label


def _decode(dataset: Any, preprocess: Preprocess, advance: Callable[[int], None]) -> tuple[Tensor, Tensor]:
    channels, height, width = preprocess.input_size
    if channels != 3:
        raise RecipeError(
            f'data.loader: "tensor" reads colour images, the model takes {channels} channels. Set data.loader="pil".'
        )
    pixels = np.empty((len(dataset), height, width, 3), dtype=np.uint8)
    labels = np.empty(len(dataset), dtype=np.int64)
    for i in range(len(dataset)):
        image, labels[i] = dataset[i]
        pixels[i] = np.asarray(_fitted(image, preprocess, i))
        if (i + 1) % _REPORT_EVERY == 0 or i + 1 == len(dataset):
            advance(i % _REPORT_EVERY + 1)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)


def _fitted(image: Any, preprocess: Preprocess, position: int) -> Any:
    """`image` in colour and of the model's input size; the pixels that evaluation sees."""
    _, height, width = preprocess.input_size
    image = convert_image(image)
    if image.size == (width, height):
        return image
    if image.width != image.height or height != width or preprocess.crop_pct != 1:
        raise RecipeError(
            f"data.loader: image {position} has {image.width}x{image.height} and the model's input {width}x{height} "
            f'with crop_pct {preprocess.crop_pct:g}; "tensor" resizes square images without a crop only. Set '
            'data.loader="pil", or crop_pct 1 in model.args.pretrained_cfg.'
        )
    return image.resize((width, height), Image.Resampling[preprocess.interpolation.upper()])

"""The two loaders show a network the same images."""

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.data.preprocess import Preprocess
from zoo.errors import RecipeError
from zoo.training.images.image_loaders import PilImages, TensorImages
from zoo.training.images.step_plan import Part

from .tiny import tiny_recipe

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)


def images(size=(32, 32), mode="RGB", n=6):
    rng = np.random.default_rng(0)
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    return [(Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode), i % 3) for i in range(n)]


def sized(size, crop_pct=1.0, interpolation="bicubic"):
    return Preprocess((3, size, size), interpolation, crop_pct, "center", MEAN, STD)


@pytest.mark.parametrize("size", [32, 48, 20])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_both_loaders_evaluate_the_same_pixels(size, interpolation):
    data, preprocess = images(), sized(size, interpolation=interpolation)
    order = [torch.tensor([3, 0, 5]), torch.tensor([1])]
    tensors = TensorImages(data, tiny_recipe(), preprocess, augmented=False)
    singles = PilImages(data, tiny_recipe("data.loader=pil", "runtime.workers=0"), preprocess)
    for (mine, labels), (theirs, same_labels) in zip(tensors.plain(order), singles.plain(order), strict=True):
        assert mine.shape[-2:] == (size, size)
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
        assert labels.tolist() == same_labels.tolist()


def test_enlarged_images_are_cropped_after_they_are_enlarged():
    recipe = tiny_recipe("augmentation.padding=8", "augmentation.flip=0", "augmentation.padding_mode=zeros")
    data = images(n=1)
    batches = TensorImages(data, recipe, sized(64)).training([Part(torch.zeros(1, dtype=torch.int64), 0, 0)])
    (found, _), whole = next(batches), sized(64)(data[0][0])
    padded = torch.nn.functional.pad(whole, [8] * 4, value=float("nan"))
    black = -torch.tensor(MEAN)[:, None, None] / torch.tensor(STD)[:, None, None]
    padded = torch.where(padded.isnan(), black, padded)
    windows = padded.unfold(1, 64, 1).unfold(2, 64, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
    assert (windows - found[0]).abs().amax((1, 2, 3)).min() < 1e-5


def test_greyscale_images_become_colour():
    (batch, _), *_ = TensorImages(images(mode="L"), tiny_recipe(), sized(32), augmented=False).plain([torch.arange(2)])
    levels = batch * torch.tensor(STD).view(-1, 1, 1) + torch.tensor(MEAN).view(-1, 1, 1)
    torch.testing.assert_close(levels[:, 0], levels[:, 2])


@pytest.mark.parametrize(
    ("data", "preprocess"),
    [(images(), sized(64, crop_pct=0.875)), (images((40, 32)), sized(64))],
    ids=["crop", "oblong"],
)
def test_what_evaluation_would_crop_is_refused(data, preprocess):
    with pytest.raises(RecipeError, match=r'image 0 .*crop_pct.*data\.loader="pil"'):
        TensorImages(data, tiny_recipe(), preprocess)

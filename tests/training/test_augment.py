import numpy as np
import pytest
import torch
from PIL import Image

from zoo.data.preprocess import Preprocess
from zoo.errors import RecipeError
from zoo.models import build_model
from zoo.training.images.augment import crop_and_flip, cutout, padded_windows, pil_transform, resize_batch
from zoo.training.images.objective import Objective

from .tiny import MODEL, tiny_recipe


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
def test_windows_are_crops_of_the_padded_image(mode):
    images = torch.randint(1, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=rng())
    recipe = tiny_recipe("augmentation.padding=2", f"augmentation.padding_mode={mode}").augmentation
    windows = padded_windows(images, recipe)
    assert windows.shape == (3, 3, 5, 5, 8, 8)
    assert torch.equal(windows[:, :, 2, 2], images)
    assert torch.equal(windows[:, :, 0, 0, 2:, 2:], images[:, :, :6, :6])
    corner = windows[:, :, 0, 0, 0, 0]
    assert torch.equal(corner, images[:, :, 2, 2] if mode == "reflect" else torch.zeros(3, 3, dtype=torch.uint8))


def test_crop_and_flip_repeat_with_the_seed_and_differ_between_images():
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(50, 3, 8, 8).contiguous()
    windows = padded_windows(images, tiny_recipe("augmentation.padding=2").augmentation)
    first = crop_and_flip(windows, torch.arange(50), 0.5, rng(3))
    assert torch.equal(first, crop_and_flip(windows, torch.arange(50), 0.5, rng(3)))
    assert len({tuple(image.flatten().tolist()) for image in first}) > 10


@pytest.mark.parametrize(("flip", "same"), [(0.0, True), (1.0, False)])
def test_without_padding_only_the_flip_is_left(flip, same):
    images = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8, generator=rng())
    windows = padded_windows(images, tiny_recipe("augmentation.crop=none").augmentation)
    expected = images if same else images.flip(-1)
    assert torch.equal(crop_and_flip(windows, torch.arange(4), flip, rng()), expected)


def test_cutout_makes_one_square_that_the_border_may_cut():
    holes = (cutout(torch.ones(200, 3, 16, 16), 6, rng()) == 0).all(1)
    areas = holes.flatten(1).sum(1)
    assert areas.max() == 36
    assert areas.min() >= 9
    assert (holes.any(2).sum(1) * holes.any(1).sum(1) == areas).all()


def test_resize_is_antialiased_and_keeps_what_fits():
    images = torch.rand(2, 3, 32, 32, generator=rng())
    assert resize_batch(images, 32) is images
    checker = (torch.arange(32)[:, None] + torch.arange(32)) % 2.0
    small = resize_batch(checker.expand(1, 3, 32, 32), 16)
    assert small.shape == (1, 3, 16, 16)
    assert (small - 0.5).abs().max() < 0.1


@pytest.mark.parametrize("policy", ["none", "autoaugment-cifar10", "autoaugment-imagenet", "trivial-wide"])
@pytest.mark.parametrize(("crop", "size"), [("pad", 0), ("resized", 24), ("none", 0)])
def test_pil_transform(policy, crop, size):
    overrides = [f"augmentation.policy={policy}", f"augmentation.crop={crop}", f"augmentation.size={size}"]
    recipe = tiny_recipe("data.loader=pil", *overrides).augmentation
    preprocess = Preprocess.of(build_model(MODEL, num_classes=10))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    torch.manual_seed(0)
    tensor = pil_transform(recipe, preprocess)(image)
    assert tensor.shape == (3, size or 32, size or 32)
    assert tensor.dtype == torch.float32
    assert -3 < tensor.min() < tensor.max() < 3


@pytest.mark.parametrize("policy", ["none", "autoaugment-cifar10", "autoaugment-imagenet", "trivial-wide"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_pil_transform_gives_a_greyscale_model_one_channel(policy, mode):
    recipe = tiny_recipe("data.loader=pil", f"augmentation.policy={policy}").augmentation
    preprocess = Preprocess((1, 32, 32), "bicubic", 1.0, "center", (0.5,), (0.25,))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).convert(mode)
    assert pil_transform(recipe, preprocess)(image).shape == (1, 32, 32)


def test_without_augmentation_training_sees_what_evaluation_sees():
    recipe = tiny_recipe("data.loader=pil", "augmentation.crop=none", "augmentation.flip=0").augmentation
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    for channels in (1, 3):
        one = (0.5,) * channels
        preprocess = Preprocess((channels, 32, 32), "bicubic", 1.0, "center", one, one)
        torch.testing.assert_close(pil_transform(recipe, preprocess)(image), preprocess(image))


def test_other_numbers_of_channels_are_refused():
    preprocess = Preprocess((4, 32, 32), "bicubic", 1.0, "center", (0.5,) * 4, (0.5,) * 4)
    with pytest.raises(RecipeError, match="takes 4 channels"):
        pil_transform(tiny_recipe("data.loader=pil").augmentation, preprocess)


def test_objective_repeats_with_the_seed_and_mixes_targets():
    recipe = tiny_recipe("regularisation.mixup=1", "regularisation.cutmix=1", "augmentation.random_erasing=0.5")
    objective = Objective(recipe, classes=10)
    labels = torch.arange(8)
    runs = [objective.prepare(torch.rand(8, 3, 32, 32, generator=rng()), labels, 1, seed=s) for s in (5, 5, 6)]
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][0], runs[2][0])
    assert torch.allclose(runs[0][1].sum(1), torch.ones(8))


def test_resolution_follows_the_schedule():
    recipe = tiny_recipe("schedule.epochs=9", "schedule.resolution=[[2, 16], [5, 24]]")
    objective = Objective(recipe, classes=10)
    assert [objective.resolution(epoch) for epoch in range(6)] == [16, 16, 24, 24, 24, None]
    images, _ = objective.prepare(torch.rand(2, 3, 32, 32), torch.zeros(2, dtype=torch.long), 0, seed=0)
    assert images.shape[-1] == 16


def test_label_smoothing_applies_once():
    plain = Objective(tiny_recipe("regularisation.label_smoothing=0.1"), classes=10)
    mixed = Objective(
        tiny_recipe("regularisation.label_smoothing=0.1", "regularisation.mixup=1", "regularisation.mix_prob=0"),
        classes=10,
    )
    logits, labels = torch.randn(4, 10, generator=rng()), torch.tensor([0, 3, 9, 1])
    images = torch.rand(4, 3, 32, 32, generator=rng())
    losses = [o.loss(logits, o.prepare(images.clone(), labels, 1, seed=0)[1]) for o in (plain, mixed)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)

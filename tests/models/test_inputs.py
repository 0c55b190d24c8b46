"""Wrong images are named before the network sees them."""

import pytest
import torch
from timm.models.swin_transformer import SwinTransformer
from torch import nn

from zoo.errors import ShapeError
from zoo.models import check_input

from .cases import REPRESENTATIVES, WINDOWED, images, meta_model, small_model

WRONG = [
    ("salunet_c18_cifar", {}, (3, 32, 32), "takes a batch"),
    ("salunet_c18_cifar", {}, (1, 1, 32, 32), "3 channel\\(s\\); got 1"),
    ("salunet_c18_cifar", {}, (1, 32, 32, 3), "3 channel\\(s\\); got 32"),
    ("salunet_c18_cifar", {}, (1, 3, 0, 32), "empty image"),
    ("salunet_c18_cifar", {"in_chans": 1}, (1, 3, 32, 32), "1 channel\\(s\\); got 3"),
    ("salunet_c18_cifar", {"features_only": True}, (1, 4, 32, 32), "3 channel\\(s\\); got 4"),
    ("salunet_t_cifar", {}, (1, 3, 64, 64), "images of 32x32; got 64x64"),
    ("salunet_t_cifar", {"features_only": True}, (1, 1, 32, 32), "3 channel\\(s\\); got 1"),
    ("salunet_t_cifar", {"dynamic_img_size": True}, (1, 3, 30, 32), "does not divide into 4x4 patches"),
    ("fles_swin_min", {}, (1, 3, 256, 256), "images of 224x224; got 256x256"),
    ("fles_swin_min", {"features_only": True}, (1, 4, 224, 224), "3 channel\\(s\\); got 4"),
    ("fles_poolformer_cifar", {}, (1, 1, 32, 32), "3 channel\\(s\\); got 1"),
]

RIGHT = [
    ("salunet_c18_cifar", {}, (5, 3, 224, 200)),
    ("salunet_c18_cifar", {"in_chans": 1}, (1, 1, 32, 32)),
    ("salunet_t_cifar", {}, (2, 3, 32, 32)),
    ("salunet_t_cifar", {"img_size": 64, "features_only": True}, (2, 3, 64, 64)),
    ("salunet_t_cifar", {"dynamic_img_size": True}, (2, 3, 64, 40)),
    ("fles_swin_cifar", {"img_size": 64, "features_only": True}, (2, 3, 64, 64)),
    ("fles_swin_cifar", {"dynamic_img_size": True}, (2, 3, 40, 36)),
    ("fles_poolformer_cifar", {}, (2, 3, 40, 33)),
    ("salunet_t_cifar", {"dynamic_img_size": True, "dynamic_img_pad": True, "img_size": 30}, (2, 3, 30, 41)),
]


@pytest.mark.parametrize(("name", "arguments", "shape", "words"), WRONG)
def test_wrong_batches_are_refused(name: str, arguments: dict[str, object], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        check_input(meta_model(name, **arguments), shape)


@pytest.mark.parametrize(("name", "arguments", "shape"), RIGHT)
def test_what_passes_the_check_runs(name: str, arguments: dict[str, object], shape: tuple[int, ...]) -> None:
    model = meta_model(name, **arguments)
    check_input(model, shape)
    output = model(torch.empty(shape, device="meta"))
    assert (output[0] if isinstance(output, list) else output).shape[0] == shape[0]


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", [name for name in REPRESENTATIVES if name not in WINDOWED])
def test_a_batch_of_no_images_gives_no_scores_and_no_gradient(name: str, training: bool) -> None:
    model = small_model(name).train(training)
    scores = model(images(name, batch=0))
    assert scores.shape == (0, 10)
    scores.sum().backward()
    assert all(p.grad is not None and not p.grad.count_nonzero() for p in model.parameters())


def test_windows_refuse_a_batch_of_no_images_as_in_timm() -> None:
    for model in (small_model("fles_swin_cifar"), SwinTransformer(32, 4, depths=(1,), num_heads=(3,), window_size=4)):
        with pytest.raises(RuntimeError, match="cannot reshape tensor of 0 elements"):
            model(images("fles_swin_cifar", batch=0))


def test_the_first_convolution_counts_where_none_is_named() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3))
    check_input(module, (1, 1, 8, 8))
    with pytest.raises(ShapeError, match="1 channel\\(s\\); got 3"):
        check_input(module, (1, 3, 8, 8))


def test_what_a_foreign_patch_embedding_takes_is_not_guessed() -> None:
    module = nn.Module()
    module.patch_embed = nn.Conv2d(3, 8, 4, 4)
    module.model = "a name"
    check_input(module, (1, 3, 30, 30))


def test_a_module_that_says_nothing_about_itself_is_asked_for_four_dimensions() -> None:
    check_input(nn.Flatten(), (1, 7, 2, 2))
    with pytest.raises(ShapeError, match="takes a batch"):
        check_input(nn.Flatten(), (1, 7))

import json
import pickle

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform
from torch import nn

from zoo.data import Preprocess
from zoo.data.preprocess import config_of, resized
from zoo.errors import ConfigurationError, ShapeError

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR = Preprocess((3, 32, 32), "bicubic", 1.0, "center", MEAN, STD)
IMAGENET = Preprocess((3, 224, 224), "bicubic", 0.875, "center", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def noise(height, width, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def test_full_crop_at_input_size_keeps_every_pixel():
    image = noise(32, 32)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    expected = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    result = CIFAR(image)
    assert result.dtype is torch.float32
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(300, 200), (100, 500), (256, 256)])
def test_equals_the_timm_evaluation_transform(crop_mode, size):
    ours = Preprocess.from_dict(IMAGENET.to_dict() | {"crop_mode": crop_mode, "input_size": [3, 64, 64]})
    theirs = create_transform(
        (3, 64, 64), interpolation="bicubic", mean=ours.mean, std=ours.std, crop_pct=0.875, crop_mode=crop_mode
    )
    image = noise(*size)
    assert torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_other_modes_become_rgb(mode):
    image = noise(32, 32).convert(mode)
    assert torch.equal(CIFAR(image), CIFAR(image.convert("RGB")))


def test_transparent_palette_gives_no_warning():
    image = noise(32, 32).convert("P")
    image.info["transparency"] = b"\x00" * 256
    assert CIFAR(image).shape == (3, 32, 32)


def test_defaults_of_pytorch_change_nothing(set_defaults):
    image, own = noise(300, 200), Preprocess((3, 40, 40), "bicubic", 0.9, "center", (0.41, 0.5, 0.6), (0.2, 0.25, 0.3))
    set_defaults()
    found = own(image)
    assert found.dtype == torch.float32
    torch.set_default_dtype(torch.float32)
    torch.set_default_device("cpu")
    assert torch.equal(found, own(image))


def test_one_channel_takes_greyscale():
    grey = Preprocess((1, 28, 28), "bilinear", 1.0, "center", (0.5,), (0.5,))
    image = noise(28, 28)
    expected = (torch.from_numpy(np.array(image.convert("L"))) / 255 - 0.5) / 0.5
    torch.testing.assert_close(grey(image)[0], expected)


def test_other_numbers_of_channels_say_what_to_do():
    multi = Preprocess((4, 8, 8), "bilinear", 1.0, "center", (0.5,) * 4, (0.5,) * 4)
    with pytest.raises(ShapeError, match=r"4 channels.*Prepare the tensors"):
        multi(noise(8, 8))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_deep_pixels_are_refused_not_cut_off(mode):
    with pytest.raises(ShapeError, match="rescale it to"):
        CIFAR(Image.new(mode, (32, 32)))


def test_round_trip_through_json_and_pickle():
    IMAGENET(noise(50, 50))  # fills the transform's cache, which must not travel
    assert Preprocess.from_dict(json.loads(json.dumps(IMAGENET.to_dict()))) == IMAGENET
    assert pickle.loads(pickle.dumps(IMAGENET)) == IMAGENET  # noqa: S301
    assert hash(Preprocess.from_dict(IMAGENET.to_dict())) == hash(IMAGENET)


def test_for_size():
    larger = IMAGENET.for_size(288)
    assert (larger.input_size, larger.crop_pct) == ((3, 288, 288), 0.875)
    assert IMAGENET.for_size(288, crop_pct=1.0).crop_pct == 1.0
    assert larger(noise(320, 400)).shape == (3, 288, 288)
    with pytest.raises(ConfigurationError, match="input_size"):
        IMAGENET.for_size(0)
    with pytest.raises(ConfigurationError, match="crop_pct"):
        IMAGENET.for_size(288, crop_pct=1.5)


def test_of_a_timm_model():
    model = timm.create_model("resnet18")
    own = Preprocess.of(model)
    assert own.input_size == (3, 224, 224)
    assert (own.crop_pct, own.crop_mode) == (0.95, "center")
    assert own.interpolation == model.pretrained_cfg["interpolation"]
    assert own.mean == tuple(model.pretrained_cfg["mean"])


def test_of_a_model_without_cfg():
    with pytest.raises(ConfigurationError, match=r"Linear, which has no pretrained_cfg.*crop_pct"):
        Preprocess.of(nn.Linear(2, 2))
    incomplete = nn.Linear(2, 2)
    incomplete.pretrained_cfg = {"input_size": (3, 8, 8), "mean": MEAN}
    with pytest.raises(ConfigurationError, match=r"missing fields \['crop_mode', 'crop_pct', 'interpolation', 'std'\]"):
        Preprocess.of(incomplete)


def test_from_dict_is_strict():
    values = CIFAR.to_dict()
    with pytest.raises(ConfigurationError, match=r"missing fields \['std'\]"):
        Preprocess.from_dict({k: v for k, v in values.items() if k != "std"})
    with pytest.raises(ConfigurationError, match=r"unknown fields \['color'\]"):
        Preprocess.from_dict(values | {"color": 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_size", [3, 32]),
        ("input_size", [3, 32, 0]),
        ("input_size", [3, 32, 32.0]),
        ("input_size", 32),
        ("interpolation", "cubic"),
        ("crop_pct", 0.0),
        ("crop_pct", 1.1),
        ("crop_pct", float("nan")),
        ("crop_pct", True),
        ("crop_mode", "middle"),
        ("mean", [0.5]),
        ("mean", [0.5, 0.5, float("inf")]),
        ("mean", "abc"),
        ("std", [0.2, 0.2, 0.0]),
        ("std", [0.2, 0.2, "0.2"]),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(ConfigurationError, match=name):
        Preprocess.from_dict(CIFAR.to_dict() | {name: value})


def test_what_a_model_says_about_itself():
    plain, given = nn.Identity(), nn.Identity()
    assert config_of(plain) == {}
    assert config_of(timm.create_model("resnet18"))["first_conv"] == "conv1"
    given.pretrained_cfg = {"label_names": ["cat", "dog"]}
    assert config_of(given) == {"label_names": ["cat", "dog"]}


def test_another_size_takes_the_crop_published_for_it():
    cfg = {"test_input_size": (3, 288, 288), "test_crop_pct": 1.0}
    assert resized(cfg, IMAGENET, 224, "net") is IMAGENET
    assert resized(cfg, IMAGENET, 288, "net") == IMAGENET.for_size(288, 1.0)
    assert resized(cfg, IMAGENET, 320, "net") == IMAGENET.for_size(320)
    with pytest.raises(ShapeError, match=r"Asked for 288 px; net takes \(224, 224\) only"):
        resized({"fixed_input_size": True}, IMAGENET, 288, "net")

"""Trained weights on real images."""

import pytest
import torch

import zoo
from zoo.data import Preprocess, load_vision
from zoo.names import open_model

COUNT, ALL = 8, 1000


@pytest.fixture(scope="module")
def lite0(shared_dir):
    """EfficientNet-Lite0, with BatchNorm and ReLU6 everywhere, its preprocessing, and a sample of ImageNet."""
    weights = shared_dir / "data/weights/tf_efficientnet_lite0.safetensors"
    model = open_model("tf_efficientnet_lite0", weights=weights).model
    return model.eval(), Preprocess.of(model), load_vision("imagenet-1k", data=shared_dir / "data/imagenet_sample")


def batch(lite0, count, start=0, size=None):
    """`size` of `count` evenly spaced images from `start`, and their classes."""
    _, preprocess, images = lite0
    chosen = [images[i * len(images) // count] for i in range(start, start + (size or count))]
    return torch.stack([preprocess(image) for image, _ in chosen]), torch.tensor([label for _, label in chosen])


@torch.no_grad()
def test_efficientnet_lite0(lite0):
    """To FleS and to SaluNet it stays near what it computed; without the clip, or with SiLU's start, it does not."""
    model, (x, labels) = lite0[0], batch(lite0, COUNT)
    before = model(x)
    assert (before.argmax(1) == labels).sum() >= 7

    def apart(to, example=x[:2, :, 80:144, 80:144], **options):
        converted, report = zoo.convert(model, to, example=example, **options)
        return float((converted.eval()(x) - before).abs().max() / before.abs().max()), report

    fles, report = apart("fles", x[:2])
    assert len(report.sites) == 33
    assert {(site.was, site.clip, site.preserves) for site in report.sites} == {("ReLU6", 6.0, False)}
    assert max(site.span[1] for site in report.sites) > 50
    salunet, report = apart("salunet", x[:4])
    assert len(report.sites) == 33 + 49
    assert fles < 0.1
    assert salunet < 0.1
    assert apart("fles", steepness=1.0)[0] > 3 * fles
    assert apart("relu")[0] > 3 * fles


@pytest.mark.slow
@pytest.mark.parametrize("to", ["fles", "salunet"])
@torch.no_grad()
def test_accuracy_right_after_the_conversion(lite0, to):
    """Within one point of its own 87.4 % on 1,000 images."""
    model = lite0[0]
    converted, _ = zoo.convert(model, to, example=batch(lite0, 16)[0])
    right = {"before": 0, "after": 0}
    for start in range(0, ALL, 50):
        x, labels = batch(lite0, ALL, start, 50)
        for name, module in (("before", model), ("after", converted.eval())):
            right[name] += int((module(x).argmax(1) == labels).sum())
    assert right["before"] == 874
    assert right["after"] >= right["before"] - 10

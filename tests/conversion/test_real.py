"""Trained weights on real images."""

import torch

import zoo
from zoo.data import Preprocess, load_vision
from zoo.names import open_model

COUNT = 8


def test_efficientnet_lite0(shared_dir):
    """ReLU6 everywhere: the start chosen for it keeps more than SiLU's, and SALU for BatchNorm keeps nothing."""
    model = open_model(
        "tf_efficientnet_lite0", weights=shared_dir / "data/weights/tf_efficientnet_lite0.safetensors"
    ).model
    preprocess = Preprocess.of(model)
    images = load_vision("imagenet-1k", data=shared_dir / "data/imagenet_sample")
    chosen = [images[i * len(images) // COUNT] for i in range(COUNT)]
    x, labels = torch.stack([preprocess(image) for image, _ in chosen]), torch.tensor([label for _, label in chosen])

    def right(model):
        with torch.no_grad():
            return int((model.eval()(x).argmax(1) == labels).sum())

    example = torch.randn(2, 3, 64, 64)  # quicker than the model's own size
    converted, report = zoo.convert(model, example=example)
    assert len(report.sites) == 33
    assert {(site.was, site.preserves) for site in report.sites} == {("ReLU6", False)}
    gentle, _ = zoo.convert(model, steepness=1.0, example=example)
    bare, _ = zoo.convert(model, to="salu", example=example)
    assert right(model) >= 7
    assert right(gentle) < right(converted) <= right(model)
    assert right(bare) <= 1

"""A card for images as transformers reads it: one config.json, the zoo's logits bit for bit."""

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
import zoo.models
from zoo._files import cards_root

CARD = cards_root() / "fles_poolformer_cifar.cifar10"


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def logits(image: Image.Image) -> torch.Tensor:
    model = zoo.create_model(CARD, pretrained=True).eval()
    with torch.no_grad():
        return model(zoo.Preprocess.of(model)(image)[None])


def test_the_auto_classes_give_the_zoos_logits(image: Image.Image, logits: torch.Tensor) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = AutoModelForImageClassification.from_pretrained(CARD).eval()
    with torch.no_grad():
        found = model(**AutoImageProcessor.from_pretrained(CARD)(image)).logits
    assert torch.equal(found, logits)
    assert model.config.num_labels == 10


def test_the_pipeline_names_the_classes(image: Image.Image, logits: torch.Tensor) -> None:
    from transformers import pipeline

    best, *_ = pipeline("image-classification", model=str(CARD))(image)
    share, number = logits.softmax(1).max(1)
    assert best["label"] == zoo.labels_of(zoo.create_model(CARD, pretrained=True))[number.item()]
    assert best["score"] == pytest.approx(share.item(), rel=1e-6)

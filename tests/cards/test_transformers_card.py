"""Cards for images as transformers reads them: one config.json, the zoo's logits bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
import zoo.models
from zoo.card_folders import card_folder, card_names
from zoo.weights.tag import read_tag

CARDS = [folder for folder in map(card_folder, card_names()) if not read_tag(folder).is_text]


@pytest.fixture(scope="module", params=CARDS, ids=[folder.name for folder in CARDS])
def card(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def logits(card: Path, image: Image.Image) -> torch.Tensor:
    model = zoo.create_model(card, pretrained=True).eval()
    with torch.no_grad():
        return model(zoo.Preprocess.of(model)(image)[None])


def test_the_auto_classes_give_the_zoos_logits(card: Path, image: Image.Image, logits: torch.Tensor) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = AutoModelForImageClassification.from_pretrained(card).eval()
    with torch.no_grad():
        found = model(**AutoImageProcessor.from_pretrained(card)(image)).logits
    assert torch.equal(found, logits)
    assert model.config.num_labels == read_tag(card).num_classes


def test_the_pipeline_names_the_classes(card: Path, image: Image.Image, logits: torch.Tensor) -> None:
    from transformers import pipeline

    best, *_ = pipeline("image-classification", model=str(card))(image)
    share, number = logits.softmax(1).max(1)
    assert best["label"] == zoo.labels_of(zoo.create_model(card, pretrained=True))[number.item()]
    assert best["score"] == pytest.approx(share.item(), rel=1e-6)

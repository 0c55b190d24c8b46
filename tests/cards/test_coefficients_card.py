"""What a card shows of FleS's coefficients comes from the model, is stored, and is drawn from what is stored."""

import pytest
import tiny_texts
import torch
from PIL import Image

from zoo.analysis import coefficients
from zoo.cards.card import refresh_card
from zoo.cards.readme import check_card
from zoo.errors import ConfigurationError
from zoo.weights.create import create_model
from zoo.weights.tag import read_tag

SPREAD = {"min": 0.0, "p5": 0.5, "median": 1.0, "p95": 1.5, "max": 2.0, "within": 0.25}
LAYER = {"layer": "act", "channels": 8, "vertical": SPREAD, "horizontal": SPREAD | {"median": 1.702}}
STORED = {"dataset": "sst2", "split": "validation", "n": 872, "layers": [LAYER]}


def test_measured_coefficients_are_shown(text_card, real_pictures):
    model = create_model(str(text_card), pretrained=True)
    assert not (text_card / "coefficients.png").exists()
    with torch.no_grad():
        next(m for n, m in model.named_parameters() if n.endswith("horizontal_weight")).normal_()
    measured = coefficients(model, [model.text_preprocess.encode(tiny_texts.TEXTS)])
    refresh_card(text_card, {"coefficients": STORED | {"layers": [layer.to_dict() for layer in measured]}})
    check_card(text_card)
    text = (text_card / "README.md").read_text()
    assert "over GLUE SST-2 (validation, 872)" in text
    assert "(coefficients.png)" in text
    for layer in measured:
        assert f"| `{layer.layer}` | {layer.channels} | {layer.vertical['median']:.3f} |" in text
        assert f"| {layer.horizontal['within']:.3f} |" in text
    with Image.open(text_card / "coefficients.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(10**6)) > 3


def test_a_card_without_them_has_no_such_section(text_card):
    assert "Coefficients" not in (text_card / "README.md").read_text()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"n": "all"}, r"coefficients\.n is 'all'"),
        ({"layers": [{"layer": "act"}]}, r"missing fields: coefficients\.layers\[0\]\.channels"),
        ({"layers": [LAYER | {"vertical": {"min": 0.0}}]}, r"missing fields: .*layers\[0\]\.vertical\.p5"),
        ({"layers": [LAYER, 3]}, r"layers\[1\] is 3, not an object"),
    ],
)
def test_coefficients_of_another_form_are_refused(text_card, wrong, named):
    with pytest.raises(ConfigurationError, match=named):
        refresh_card(text_card, {"coefficients": STORED | wrong})
    assert read_tag(text_card).results == {}

"""Cards: written whole, rendered from what is stored, and equal to it."""

import json
import re

import pytest
import torch
from PIL import Image

from zoo.analysis import geometry
from zoo.cards.card import refresh_card, write_card
from zoo.cards.readme import check_card, render_card
from zoo.errors import ConfigurationError, OutputError, WeightsMismatchError
from zoo.weights.create import create_model
from zoo.weights.tag import read_tag

from .cases import LABELS, NAME, RESULTS, make_tag


def with_classes(**fields):
    result = RESULTS["evaluations"][0]
    return {"evaluations": [result | {"classes": result["classes"] | fields}]}


@pytest.fixture
def full(cards, state):
    """A card with everything on it."""
    tag = make_tag(dataset="cifar10", recipe="short", license="apache-2.0", source="trained here")
    write_card(cards / NAME, state, tag, RESULTS)
    return cards / NAME


def test_a_card_is_complete(full):
    assert {path.name for path in full.iterdir()} == {
        "README.md", "classes.png", "config.json", "curve.png", "geometry.png", "model.safetensors", "results.json"
    }  # fmt: skip
    stored = json.loads((full / "results.json").read_text())
    assert read_tag(full).results == stored
    model = create_model(str(full), pretrained=True)
    assert stored.pop("geometry") == {"layers": [layer.to_dict() for layer in geometry(model)]}
    assert stored == RESULTS
    check_card(full)


def test_lists_of_numbers_take_one_line(full):
    text = (full / "results.json").read_text()
    assert '"confused": [\n          [0, 2, 600]' in text
    assert json.loads(text)["evaluations"] == RESULTS["evaluations"]


def test_the_example_on_the_card_runs(full, tmp_path, monkeypatch, capsys):
    text = (full / "README.md").read_text()
    assert "after `pip install -e .` there" in text
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len(code.split("\n\n")) == 2
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30)).save("photo.png")
    exec(code, {})
    assert capsys.readouterr().out.strip() in LABELS


def test_the_example_without_labels_runs(cards, state, tmp_path, monkeypatch, capsys):
    write_card(cards / NAME, state, make_tag(labels=()))
    code = re.search(r"```python\n(.*?)```", render_card(cards / NAME), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    Image.new("L", (40, 30)).save("photo.png")
    exec(code, {})
    assert capsys.readouterr().out.strip() in {"0", "1", "2"}


@pytest.mark.parametrize("file", ["README.md", "results.json", "config.json"])
def test_a_card_that_was_edited_is_found_out(full, file):
    path = full / file
    path.write_text(path.read_text().replace("85.0", "97.3").replace('"mit"', '"x"').replace("apache-2.0", "mit"))
    with pytest.raises(WeightsMismatchError, match="differs from the stored"):
        check_card(full)
    refresh_card(full)
    check_card(full)


@pytest.mark.parametrize("file", ["curve.png", "classes.png", "geometry.png"])
def test_a_picture_of_other_data_is_found_out(full, file):
    other = full / ("curve.png" if file != "curve.png" else "classes.png")
    (full / file).write_bytes(other.read_bytes())
    with pytest.raises(WeightsMismatchError, match=f"{file} is missing or was not drawn"):
        check_card(full)
    (full / file).unlink()
    with pytest.raises(WeightsMismatchError, match=f"{file} is missing or was not drawn"):
        check_card(full)
    refresh_card(full)
    check_card(full)


def test_the_estimate_of_energy_that_older_cards_hold_is_not_shown(full):
    training = RESULTS["training"] | {"energy": {"kwh": 0.000334, "co2_g": 0.159}}
    page = (full / "README.md").read_text()
    refresh_card(full, RESULTS | {"training": training, "geometry": read_tag(full).results["geometry"]})
    assert (full / "README.md").read_text() == page
    assert read_tag(full).results["training"]["energy"]["kwh"] == 0.000334
    check_card(full)


def test_a_failure_while_drawing_changes_nothing(full, monkeypatch):
    def fail(*arguments):
        raise OSError("no space left")

    before = {path.name: path.read_bytes() for path in full.iterdir()}
    monkeypatch.setattr("zoo.cards.pictures.card_pictures.plot_classes", fail)
    with pytest.raises(OutputError, match="no space left"):
        refresh_card(full, with_classes() | {"notes": ["new"]})
    assert {path.name: path.read_bytes() for path in full.iterdir()} == before


def test_a_card_without_its_readme_is_found_out(full):
    (full / "README.md").unlink()
    with pytest.raises(WeightsMismatchError, match="is missing"):
        check_card(full)


def test_results_can_be_added_later(card):
    assert "Nothing has been measured" in (card / "README.md").read_text()
    before = (card / "config.json").read_bytes(), (card / "model.safetensors").read_bytes()
    refresh_card(card, RESULTS)
    check_card(card)
    assert "85.00" in (card / "README.md").read_text()
    assert (card / "curve.png").is_file()
    assert before == ((card / "config.json").read_bytes(), (card / "model.safetensors").read_bytes())


@pytest.mark.parametrize(
    ("results", "named"),
    [
        ({"evaluation": []}, "unknown fields: evaluation"),
        ({"evaluations": {}}, "evaluations is {}, not a valid array"),
        ({"evaluations": [{"dataset": "cifar10", "split": "test", "n": 5}]}, r"missing fields: evaluations\[0\]\.top1"),
        ({"comparisons": [{"label": "x", "top1": "high"}]}, r"comparisons\[0\]\.top1 is 'high'"),
        ({"evaluations": [3]}, r"evaluations\[0\] is 3, not an object"),
        ({"notes": [3]}, r"notes\[0\]"),
        ({"geometry": {"layers": [{"layer": "act"}]}}, r"missing fields: .*geometry\.layers\[0\]\.kind"),
        ({"geometry": {"layers": [{"layer": "act", "c": 1}]}}, r"unknown fields: geometry\.layers\[0\]\.c"),
        ({"comparisons": [{"label": "x", "top1": 1.0, "log": 3}]}, r"comparisons\[0\]\.log is 3, not a valid array"),
        (with_classes(images=[1, 2, 3]), r"evaluations\[0\]\.classes: Counts by class contradict"),
        (with_classes(images=[3400, 3500, 3200], correct=[2500, 3100, 3000]), "its correct1"),
    ],
)
def test_results_of_another_form_are_refused(card, state, results, named):
    before = (card / "README.md").read_bytes()
    with pytest.raises(ConfigurationError, match=named):
        refresh_card(card, results)
    with pytest.raises(ConfigurationError, match=named):
        write_card(card.with_name("tiny_t.other"), state, make_tag(), results)
    assert (card / "README.md").read_bytes() == before
    assert not card.with_name("tiny_t.other").exists()


def test_weights_of_another_model_are_not_stored(cards, state):
    del state["norm.a"]
    with pytest.raises(WeightsMismatchError, match=r"norm\.a: file has nothing"):
        write_card(cards / NAME, state, make_tag())
    assert not cards.exists()


def test_a_card_is_not_replaced_by_accident(full, state):
    before = {path.name: path.read_bytes() for path in full.iterdir()}
    with pytest.raises(OutputError, match="it exists"):
        write_card(full, state, make_tag())
    assert {path.name: path.read_bytes() for path in full.iterdir()} == before
    state["norm.a"] = torch.tensor(9.0)
    write_card(full, state, make_tag(), force=True)
    assert set(read_tag(full).results) == {"geometry"}
    assert not (full / "curve.png").exists()
    assert [path.name for path in full.parent.iterdir()] == [NAME]


def test_a_place_that_cannot_be_written(tmp_path, state):
    with pytest.raises(OutputError, match="Cannot write"):
        write_card("/proc/nothing/card", state, make_tag())

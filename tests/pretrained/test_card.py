"""Cards: written whole, rendered from what is stored, and equal to it."""

import json
import re

import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image

from zoo.errors import ConfigurationError, OutputError, WeightsMismatchError, WeightsNotFoundError
from zoo.pretrained import check_card, plot_curve, read_tag, refresh_card, render_card, training_record, write_card

from .cases import LABELS, NAME, RESULTS, make_tag


@pytest.fixture
def full(cards, state):
    """A card with everything on it."""
    tag = make_tag(dataset="cifar10", recipe="short", license="apache-2.0", source="trained here")
    write_card(cards / NAME, state, tag, RESULTS)
    return cards / NAME


def test_a_card_is_complete(full):
    assert {path.name for path in full.iterdir()} == {
        "README.md", "config.json", "curve.png", "model.safetensors", "results.json"
    }  # fmt: skip
    assert json.loads((full / "results.json").read_text()) == RESULTS
    assert read_tag(full).results == RESULTS
    check_card(full)


def test_the_hub_understands_the_front_matter(full):
    data = ModelCard((full / "README.md").read_text()).data
    assert (data.license, data.library_name, data.datasets) == ("apache-2.0", "salu-zoo", ["uoft-cs/cifar10"])
    assert [(r.dataset_type, r.metric_type, r.metric_value) for r in data.eval_results] == [
        ("uoft-cs/cifar10", "accuracy", 94.12), ("uoft-cs/cifar10", "accuracy", 99.8)
    ]  # fmt: skip
    assert data.model_name == NAME


def test_the_text_shows_what_is_stored(full):
    text = (full / "README.md").read_text()
    for part in (
        f"# {NAME}",
        "| cifar10 | test | 94.12 | 99.80 | 0.2100 | 10000 | 32x32 px | torch |",
        "| BN + ReLU | 95.00 | - | the same recipe |",
        "| optimizer.lr | 0.3 |",
        "| epochs | 2 |",
        "`zoo evaluate tiny_t.pets --dataset cifar10`",
        "versions: torch 2.6.0",
        "![Training loss and validation Top-1 by epoch](curve.png)",
        "Trained on images with JPEG artefacts.",
        read_tag(full).sha256,
    ):
        assert part in text


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
    path.write_text(path.read_text().replace("94.12", "97.35").replace('"mit"', '"x"').replace("apache-2.0", "mit"))
    with pytest.raises(WeightsMismatchError, match="differs from the stored"):
        check_card(full)
    refresh_card(full)
    check_card(full)


def test_a_card_without_its_readme_is_found_out(full):
    (full / "README.md").unlink()
    with pytest.raises(WeightsMismatchError, match="is missing"):
        check_card(full)


def test_results_can_be_added_later(card):
    assert "Nothing has been measured" in (card / "README.md").read_text()
    before = (card / "config.json").read_bytes(), (card / "model.safetensors").read_bytes()
    refresh_card(card, RESULTS)
    check_card(card)
    assert "94.12" in (card / "README.md").read_text()
    assert (card / "curve.png").is_file()
    assert before == ((card / "config.json").read_bytes(), (card / "model.safetensors").read_bytes())


@pytest.mark.parametrize(
    ("results", "named"),
    [
        ({"evaluation": []}, "unknown part 'evaluation'"),
        ({"evaluations": {}}, "evaluations must be a list"),
        ({"evaluations": [{"dataset": "cifar10", "split": "test", "n": 5}]}, r"evaluations\[0\]\.top1 is missing"),
        ({"comparisons": [{"label": "x", "top1": "high"}]}, r"comparisons\[0\]\.top1 is 'high'"),
        ({"evaluations": [3]}, "must be an object"),
        ({"notes": [3]}, r"notes\[0\]"),
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
    assert not (full / "results.json").exists()
    assert [path.name for path in full.parent.iterdir()] == [NAME]


def test_a_place_that_cannot_be_written(tmp_path, state):
    with pytest.raises(OutputError, match="Cannot write"):
        write_card("/proc/nothing/card", state, make_tag())


def test_training_record_reads_a_run(tmp_path):
    log = RESULTS["training"]["log"]
    summary = {"recipe": {"a": 1}, "data": {"name": "cifar10"}, "weights": "ema", "wall_clock_s": 61.7}
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "environment": {"device": "cpu"}, "results": {}}))
    with pytest.raises(WeightsNotFoundError, match=r"log\.jsonl is missing"):
        training_record(tmp_path)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    record = training_record(tmp_path)
    assert (record["epochs"], record["seconds"], record["device"], record["log"]) == (2, 62, "cpu", log)


def test_curve(tmp_path):
    plot_curve(RESULTS["training"]["log"], tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(10**6)) > 100
    plot_curve([{"epoch": 1, "train_loss": 2.0}], tmp_path / "loss_only.png")
    with pytest.raises(ConfigurationError, match="train_loss"):
        plot_curve([{"epoch": 1}], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()

"""Cards of text models: rendered from what is stored, with examples that run, and equal to it."""

import json
import re

import pytest
import tiny_texts
from huggingface_hub import ModelCard

from zoo.cards.card import refresh_card, write_card
from zoo.cards.readme import check_card
from zoo.errors import ConfigurationError, WeightsMismatchError
from zoo.weights.create import create_model
from zoo.weights.tag import read_tag

from .cases import TEXT_NAME, TEXT_RESULTS, make_text_tag


def test_write_card_needs_the_tokenizer_of_the_tag(cards, tmp_path):
    state, tag = tiny_texts.make_model().state_dict(), make_text_tag()
    with pytest.raises(ConfigurationError, match="tokenizer=FOLDER"):
        write_card(cards / TEXT_NAME, state, tag)
    folder = tiny_texts.write_tokenizer(tmp_path / "tokenizer")
    (folder / "tokenizer.json").write_text(tiny_texts.make_tokenizer().replace('"dull"', '"dumb"'))
    with pytest.raises(WeightsMismatchError, match="not the tokenizer"):
        write_card(cards / TEXT_NAME, state, tag, tokenizer=folder)
    assert not any(cards.iterdir())


def test_the_readme_shows_what_is_stored(text_card):
    refresh_card(text_card, TEXT_RESULTS)
    check_card(text_card)
    text = (text_card / "README.md").read_text()
    for part in (
        "| **these weights** | **91.06** | GLUE SST-2 validation, 872 texts, 16 tokens |",
        "| these weights, ONNX Runtime | 91.06 | GLUE SST-2 validation, 872 texts, 16 tokens |",
        "| GELU | 90.00 | the same recipe |",
        "fine-tuned on GLUE SST-2",
        "2 classes (negative, positive) · texts of up to 16 tokens",
        "OpenReview XGODWn7HeJ",
        "this project's reconstruction",
        "- texts: kind parquet, folder glue",
        "- One seed of three.",
        f"\nzoo evaluate {TEXT_NAME} --task sst2\n",
        read_tag(text_card).sha256,
    ):
        assert part in text
    assert "SaluNet" not in text
    assert " px" not in text


def test_the_hub_understands_the_front_matter(text_card):
    refresh_card(text_card, TEXT_RESULTS)
    data = ModelCard((text_card / "README.md").read_text()).data
    assert (data.pipeline_tag, data.datasets, data.metrics) == ("text-classification", ["nyu-mll/glue"], ["accuracy"])
    assert {"fles", "glue"} <= set(data.tags)
    assert "salunet" not in data.tags
    assert [(r.dataset_type, r.dataset_config, r.metric_type, r.metric_value) for r in data.eval_results] == [
        ("nyu-mll/glue", "sst2", "accuracy", 91.06)
    ] * 2


def test_the_examples_on_the_card_run(text_card, monkeypatch, capsys):
    monkeypatch.chdir(text_card.parent.parent)
    examples = re.findall(r"```python\n(.*?)```", (text_card / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    for code in examples:
        exec(code, {})
    first, second = capsys.readouterr().out.split()
    assert first == second
    assert first in tiny_texts.LABELS


@pytest.mark.parametrize(
    ("results", "named"),
    [
        (
            {"evaluations": [{"dataset": "sst2", "split": None, "top1": 91.0, "n": 5}]},
            r"missing fields: evaluations\[0\]\.metrics",
        ),
        ({"evaluations": [{"dataset": "sst2", "split": None, "metrics": 0.9, "n": 5}]}, r"metrics is 0\.9"),
        ({"comparisons": [{"label": "GELU"}]}, r"missing fields: comparisons\[0\]\.metrics"),
    ],
)
def test_results_of_another_form_are_refused(text_card, results, named):
    with pytest.raises(ConfigurationError, match=named):
        refresh_card(text_card, results)


def test_a_score_is_a_card_too(cards, tmp_path, monkeypatch, capsys):
    tag = make_text_tag(tag="stsb", num_classes=1, labels=(), dataset="stsb")
    tokenizer = tiny_texts.write_tokenizer(tmp_path / "tokenizer")
    model = tiny_texts.make_model(num_classes=1)
    write_card(cards / tag.name, model.state_dict(), tag, tokenizer=tokenizer)
    assert json.loads((cards / tag.name / "config.json").read_text())["problem_type"] == "regression"
    assert create_model(tag.name).config.num_labels == 1
    text = (cards / tag.name / "README.md").read_text()
    assert "one output, a score" in text
    monkeypatch.chdir(cards.parent)
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, {})
    first, second = map(float, capsys.readouterr().out.split())
    assert first == pytest.approx(second, abs=1e-6)

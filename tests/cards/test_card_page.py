"""What a card's page says: the figures first, everything else folded, and metadata that the Hub accepts."""

import re

import pytest
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from zoo.cards.card import write_card
from zoo.weights.tag import read_tag

from .cases import NAME, RESULTS, make_tag


@pytest.fixture
def page(cards, state) -> str:
    """The page of a card with everything on it."""
    tag = make_tag(dataset="cifar10", recipe="short", license="apache-2.0", source="trained here")
    write_card(cards / NAME, state, tag, RESULTS)
    return (cards / NAME / "README.md").read_text()


def test_the_first_screen_has_figures_and_use(page):
    first = page[page.index(f"# {NAME}") : page.index("## Evaluation")]
    for part in (
        "trained on CIFAR-10. It has no normalisation layers: SALU stands where LayerNorm stood, GALU where GELU stood",
        "3 classes · input 32x32 px with 3 channels",
        "[SaluNet: Enabling Total Plasticity in Normalization-Free Deep Networks](https://arxiv.org/abs/2606.02927)",
        "| **these weights** | **85.00** | **99.80** | CIFAR-10 test, 10,000 images, 32x32 px |",
        "| BN + ReLU | 95.00 | - | the same recipe |",
        f'zoo.create_model("{NAME}", pretrained=True)',
        f"zoo predict photo.png --model {NAME}",
        f"zoo evaluate {NAME} --dataset cifar10",
    ):
        assert part in first
    assert "sha256" not in first


def test_all_that_is_stored_is_on_the_page(page, cards):
    for part in (
        "Hardest class: cat, 72.7 %. Easiest: owl, 93.8 %.",
        "Most frequent confusions, in images: cat taken for owl (600), dog taken for owl (400)",
        "- command: `zoo evaluate tiny_t.pets --dataset cifar10`",
        "- versions: torch 2.6.0",
        "# these weights\nzoo train short --set model.act=galu\n# BN + ReLU\n",
        "Trained from scratch on CIFAR-10 for 2 epochs in 1 min 0 s on cpu (x86_64 AVX512, 1 threads).",
        "Recipe: `short`.",
        "| optimizer.lr | 0.3 |",
        "| GALU | ",
        "- Trained on images with JPEG artefacts.",
        "80 Million Tiny Images",
        "Its authors state no licence",
        read_tag(cards / NAME).sha256,
    ):
        assert part in page
    assert page.count("<details>") == page.count("</details>") == 4


def test_every_picture_is_there_and_has_a_text_for_those_who_cannot_see_it(page, cards):
    shown = dict(re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", page))
    assert sorted(shown.values()) == ["classes.png", "curve.png", "geometry.png"]
    assert all((cards / NAME / file).is_file() for file in shown.values())
    assert {f"Training loss and validation score of {NAME} by epoch, beside BN + ReLU"} < set(shown)
    assert any("85.00 % of 10,000 images are right" in alt for alt in shown)


def test_the_template_leaves_no_trace(page):
    body = page[page.index("\n# ") :]
    for sign in ("{{", "{%", "{#", " None", "Undefined", "\n\n\n", " \n"):
        assert sign not in body


def test_the_hub_understands_the_front_matter(page):
    data = ModelCard(page).data
    fields = ("license", "library_name", "datasets")
    assert [data[name] for name in fields] == ["apache-2.0", "salu-zoo", ["uoft-cs/cifar10"]]
    assert (data.pipeline_tag, data.metrics) == ("image-classification", ["accuracy"])
    assert {"salunet", "normalization-free", "image-classification"} <= set(data.tags)
    assert data.model_name == NAME


def test_the_model_index_follows_the_rules_of_the_hub(page):
    """Each row is a valid EvalResult, no two of them are the same one, and the index reads back as it was written."""
    data = ModelCard(page).data
    rows = data.eval_results
    assert all(isinstance(row, EvalResult) for row in rows)
    assert [(r.dataset_name, r.dataset_type, r.metric_type, r.metric_value) for r in rows] == [
        ("CIFAR-10", "uoft-cs/cifar10", "accuracy", 85.0), ("CIFAR-10", "uoft-cs/cifar10", "accuracy", 99.8)
    ]  # fmt: skip
    assert len({(row.unique_identifier, row.metric_name) for row in rows}) == len(rows)
    name, back = model_index_to_eval_results(eval_results_to_model_index(NAME, rows))
    assert (name, back) == (NAME, rows)
    assert [entry["name"] for entry in data.to_dict()["model-index"]] == [NAME]


def test_a_card_of_a_foreign_model_says_what_is_not_known(cards, state):
    write_card(cards / NAME, state, make_tag(labels=(), license="unknown"))
    page = (cards / NAME / "README.md").read_text()
    for part in ("Nothing has been measured", "Not trained by this project", "The class names are unknown"):
        assert part in page
    assert ModelCard(page).data.eval_results is None

"""Every card in the repository: its text is what its results say, its file is what it pins, its weights load."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import EvalResult, ModelCard

from zoo.analysis.geometry import geometry, learned_pairs
from zoo.cards.card_config import card_config
from zoo.cards.pictures import pictures_of
from zoo.cards.readme import check_card
from zoo.data.preprocess import Preprocess
from zoo.weights.architecture import build_tagged
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of
from zoo.weights.tag import read_tag

CARDS = Path(__file__).resolve().parents[2] / "model_cards"
FOLDERS = sorted(path.parent for path in CARDS.glob("*/config.json"))


def test_the_promised_checkpoint_is_there_and_both_runtimes_agree_on_it():
    results = read_tag(CARDS / "salunet_c18_cifar.cifar10").results
    runs = {run["runtime"]["kind"]: run for run in results["evaluations"] if run["dataset"] == "cifar10"}
    assert {"torch", "onnx"} <= runs.keys()
    assert {(run["split"], run["limit"], run["n"]) for run in runs.values()} == {("test", None, 10_000)}
    assert len({(run["correct1"], run["correct5"]) for run in runs.values()}) == 1
    assert all(isinstance(row["top1"], float) for row in results.get("comparisons", []))


def test_every_folder_is_a_card():
    folders = {path for path in CARDS.glob("*") if path.is_dir()}
    assert folders == set(FOLDERS)
    assert [read_tag(folder).name for folder in FOLDERS] == [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_readme_is_what_is_stored(folder):
    check_card(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_front_matter_has_the_figures_of_the_results(folder):
    """Read by the Hub's own classes and compared with results.json, not with another rendering."""
    data = ModelCard((folder / "README.md").read_text("utf-8")).data
    stored = json.loads((folder / "results.json").read_text("utf-8"))
    wanted = []
    for run in stored["evaluations"]:
        figures = run["metrics"].values() if "metrics" in run else (run["top1"] / 100, run["top5"] / 100)
        wanted += [(run["split"], round(100 * value, 2)) for value in figures]
    assert [(row.dataset_split, row.metric_value) for row in data.eval_results] == wanted
    assert all(isinstance(row, EvalResult) for row in data.eval_results)
    assert (data.license, data.model_name) == (read_tag(folder).license, folder.name)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_a_card_must_have_is_there(folder):
    """The command that repeats the run, classes counted for images, and each picture that the results allow."""
    tag, page = read_tag(folder), (folder / "README.md").read_text("utf-8")
    assert tag.results["training"]["command"] in page
    if not tag.is_text:
        assert any(run.get("classes") for run in tag.results["evaluations"])
    assert {path.name for path in folder.glob("*.png")} == {picture.file for picture in pictures_of(tag).values()}
    assert all(f"]({path.name})" in page for path in folder.glob("*.png"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_weights_load_and_answer(folder):
    model = create_model(folder, pretrained=True).eval()
    tag = identity_of(model).tag
    with torch.inference_mode():
        if tag.is_text:
            logits = model(**model.text_preprocess.encode(["a text", "another text"])).logits
        else:
            logits = model(torch.zeros(2, *Preprocess.of(model).input_size))
    assert logits.shape == (2, tag.num_classes)
    learned = [layer.to_dict() for layer in geometry(model)] if any(learned_pairs(model)) else None
    assert learned == tag.results.get("geometry", {}).get("layers")
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_config_json_says_to_all_what_the_tag_says(folder):
    """Under timm's or transformers' names, so that every library builds one network."""
    tag = read_tag(folder)
    stored = json.loads((folder / "config.json").read_text())
    made = json.loads(json.dumps(card_config(tag, build_tagged(tag, "meta"))))
    for config in (stored, made):
        assert (config.pop("transformers_version", None) is None) is not tag.is_text
    assert stored == made

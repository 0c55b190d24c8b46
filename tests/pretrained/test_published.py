"""Every card in the repository: its text is what its results say, its file is what it pins, its weights load."""

import json
from pathlib import Path

import pytest
import torch

from zoo.data.preprocess import Preprocess
from zoo.pretrained import check_card, create_model, read_tag
from zoo.pretrained.architecture import build_tagged
from zoo.pretrained.text_files import text_config

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
def test_the_weights_load_and_answer(folder):
    model = create_model(folder, pretrained=True).eval()
    tag = model.pretrained_tag
    with torch.inference_mode():
        if tag.is_text:
            logits = model(**model.text_preprocess.encode(["a text", "another text"])).logits
        else:
            logits = model(torch.zeros(2, *Preprocess.of(model).input_size))
    assert logits.shape == (2, tag.num_classes)
    assert torch.isfinite(logits).all()


def test_transformers_reads_the_same_text_models():
    """config.json says the same under both names, so both libraries build one network."""
    for folder in FOLDERS:
        tag = read_tag(folder)
        if tag.is_text:
            stored = json.loads((folder / "config.json").read_text())
            made = text_config(tag, build_tagged(tag, "meta"))
            assert stored.pop("transformers_version")
            made.pop("transformers_version")
            assert stored == made

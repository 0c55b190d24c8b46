"""Names to tags, tags to files: the order of places, and the Hub without a network."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

from zoo import card_folders
from zoo.cards.card import write_card
from zoo.errors import UnknownNameError, WeightsMismatchError, WeightsNotFoundError
from zoo.weights.locate import list_pretrained, locate, open_hub, resolve
from zoo.weights.tag import read_tag

from .cases import COMMIT, MODEL, NAME, make_tag, put_in_cache


def test_names_are_those_of_the_folders(card, cards, state):
    write_card(cards / "salunet_x.y", state, make_tag())
    assert list_pretrained() == ["salunet_x.y", NAME]
    assert list_pretrained(MODEL) == [NAME]
    assert list_pretrained("salunet_c50") == []
    with pytest.raises(UnknownNameError, match="Nearest: salunet_c18"):
        list_pretrained("salunet_c19")


def test_model_and_tag_resolve(card):
    assert resolve(NAME) == resolve(MODEL) == read_tag(card)


def test_a_default_tag_decides_between_several(card, cards, state):
    write_card(cards / f"{MODEL}.birds", state, make_tag(tag="birds"))
    with pytest.raises(WeightsMismatchError, match=r"Say which one: tiny_t\.birds, tiny_t\.pets"):
        resolve(MODEL)
    write_card(cards / f"{MODEL}.birds", state, make_tag(tag="birds", default=True), force=True)
    assert resolve(MODEL).tag == "birds"


def test_a_model_without_weights_says_so_and_names_the_way_out(card):
    with pytest.raises(WeightsNotFoundError) as caught:
        resolve("salunet_c50.imagenet")
    text = str(caught.value)
    for part in ("salunet_c50.imagenet", "Mourad-zaied/SaluNet", "links to files hosted elsewhere", NAME):
        assert part in text
    assert "zoo adopt FILE.pth --model salunet_c50 --tag imagenet" in text
    with pytest.raises(WeightsNotFoundError, match="--tag TAG"):
        resolve("salunet_c50")


def test_an_unknown_tag_or_model_offers_the_nearest(card):
    with pytest.raises(UnknownNameError, match=r"Nearest: tiny_t\.pets.*zoo adopt"):
        resolve(f"{MODEL}.pet")
    with pytest.raises(UnknownNameError, match="Nearest: tiny_t"):
        resolve("tiny_d.pets")


def test_a_card_in_a_folder_of_another_name_is_refused(card, cards):
    card.rename(cards / f"{MODEL}.birds")
    with pytest.raises(WeightsMismatchError, match="rename the folder"):
        resolve(f"{MODEL}.birds")


def test_the_checkout_comes_before_the_hub(card, no_network):
    assert locate(resolve(NAME)) == card / "model.safetensors"
    assert no_network == []


def test_unpublished_weights_outside_a_checkout(card):
    (card / "model.safetensors").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"not on the Hub yet.*source checkout"):
        locate(resolve(NAME))


def test_a_published_tag_is_fetched_at_its_pinned_revision(card, monkeypatch):
    asked = {}

    def download(**kwargs):
        asked.update(kwargs)
        return str(card / "model.safetensors")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    tag = replace(resolve(NAME), tag="elsewhere", repo="org/repo", revision=COMMIT)
    assert locate(tag) == card / "model.safetensors"
    wanted = {"repo_id": "org/repo", "filename": "model.safetensors", "revision": COMMIT, "force_download": False}
    assert asked == wanted


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("no such file"), ConnectionError("refused"), OSError()])
def test_a_failed_download_says_what_and_how_else(card, monkeypatch, error):
    def download(**kwargs):
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr(constants, "ENDPOINT", "https://mirror.example")
    tag = replace(resolve(NAME), tag="elsewhere", repo="org/repo", revision=COMMIT)
    with pytest.raises(WeightsNotFoundError) as caught:
        locate(tag)
    for part in ("model.safetensors of org/repo", COMMIT, "https://mirror.example", "hf download org/repo"):
        assert part in str(caught.value)


def test_offline_takes_the_cache_and_calls_nobody(card, hub_cache, no_network, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    snapshot = put_in_cache(hub_cache, "org/repo", COMMIT, card, branch="main")
    tag, folder = open_hub("hf-hub:org/repo")
    assert (tag.repo, tag.revision, folder) == ("org/repo", COMMIT, snapshot)
    assert locate(tag, folder) == snapshot / "model.safetensors"
    pinned = replace(tag, tag="elsewhere")
    assert locate(pinned) == snapshot / "model.safetensors"
    assert no_network == []


def test_offline_without_a_cache_calls_nobody_and_says_why(hub_cache, no_network, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsNotFoundError, match="offline, as HF_HUB_OFFLINE says"):
        open_hub("hf-hub:org/repo@main")
    assert no_network == []


def test_weights_come_from_the_commit_of_the_card(card, hub_cache, monkeypatch):
    (card / "config.json").write_text(json.dumps(read_tag(card).to_dict()))
    snapshot = put_in_cache(hub_cache, "org/repo", COMMIT, card)
    (snapshot / "model.safetensors").unlink()
    asked = []

    def download(repo_id, filename, revision, force_download):
        asked.append((filename, revision))
        if filename != "config.json":
            shutil.copy(card / filename, snapshot)
        return str(snapshot / filename)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    tag, folder = open_hub("hf-hub:org/repo@v2")
    assert locate(tag, folder) == snapshot / "model.safetensors"
    assert asked == [("config.json", "v2"), ("model.safetensors", COMMIT)]


@pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:a/b/c", "hf-hub:../x"])
def test_a_bad_repository_name(name, no_network):
    with pytest.raises(WeightsNotFoundError, match="is no repository"):
        open_hub(name)
    assert no_network == []


def test_the_packed_cards_are_used_without_a_checkout(monkeypatch):
    monkeypatch.setattr(card_folders, "checkout_root", lambda: None)
    assert card_folders.card_roots()["installed"] == Path(card_folders.__file__).parent / "weights" / "model_cards"

"""`zoo get`: a published card comes to the user's folder whole, or not at all, and is found by its name offline."""

import json

import pytest
from huggingface_hub import constants

from zoo.cards.readme.render import check_card
from zoo.errors import ConfigurationError, OutputError, UnknownNameError, WeightsCorruptError, WeightsNotFoundError
from zoo.publishing.download import download_card
from zoo.weights.create import create_model
from zoo.weights.tag import read_tag

from .cases import NAME, REPO
from .hub_server import corrupt, refuse
from .test_create import holds

HUB = f"hf-hub:{REPO}"


@pytest.fixture
def repo(hub, measured, root):
    """The card on the Hub alone."""
    made = hub.put(REPO, measured)
    measured.rename(root / "published")
    return made


def test_a_card_of_the_hub_is_found_by_its_own_name(repo, home, state, monkeypatch):
    folder = download_card(HUB)
    assert folder == home / "model_cards" / NAME
    tag = read_tag(folder)
    assert (tag.repo, tag.revision) == (REPO, repo.refs["main"])
    check_card(folder)
    assert {file.name for file in folder.iterdir()} >= {"config.json", "results.json", "README.md", tag.file}
    assert not (folder / "sample.png").exists()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert holds(create_model(NAME, pretrained=True), state)


def test_a_pinned_card_without_weights_is_completed(hub, measured, home, state, run_zoo):
    repo = hub.put(REPO, measured)
    config = json.loads((measured / "config.json").read_text())
    config["salu_zoo"] |= {"repo": REPO, "revision": repo.refs["main"]}
    (measured / "config.json").write_text(json.dumps(config))
    assert download_card(NAME) == measured, "its weights are here"
    (measured / "model.safetensors").unlink()
    status, out, _ = run_zoo("get", NAME, "--json")
    (row,) = json.loads(out)
    assert status == 0
    assert row["folder"] == str(home / "model_cards" / NAME)
    assert holds(create_model(NAME, pretrained=True), state)


def test_a_text_model_comes_with_its_tokenizer(hub, text_card, root, home):
    hub.put(REPO, text_card)
    text_card.rename(root / "published")
    folder = download_card(HUB)
    assert create_model(folder.name, pretrained=True).text_preprocess is not None


@pytest.mark.filterwarnings("ignore:The copy of model.safetensors:UserWarning")
def test_nothing_is_left_of_a_download_that_fails(hub, repo, home):
    for pattern, change, kind in (
        ("GET .*safetensors", corrupt, WeightsCorruptError),
        ("GET /api/models", refuse(500), WeightsNotFoundError),
        ("GET .*results.json", refuse(503), WeightsNotFoundError),
    ):
        hub.fail(pattern, change)
        with pytest.raises(kind):
            download_card(HUB)
        hub.failures.clear()
        assert [file for file in home.rglob("*") if file.is_file()] == []
    assert download_card(HUB).is_dir()


def test_a_card_that_is_here_is_replaced_on_request_only(repo, home):
    folder = download_card(HUB)
    with pytest.raises(OutputError, match="--force"):
        download_card(HUB)
    (folder / "README.md").write_text("mine")
    download_card(HUB, force=True)
    check_card(folder)


def test_names_that_cannot_be_fetched(card, home):
    with pytest.raises(WeightsNotFoundError, match="not on the Hub yet"):
        download_card(NAME, force=True)
    with pytest.raises(ConfigurationError, match="is a folder here"):
        download_card(str(card))
    with pytest.raises(UnknownNameError):
        download_card("tiny_t.nothing")

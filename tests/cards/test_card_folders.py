"""Folders a name is looked up in, and where a new card goes: in a checkout and in an installed copy."""

from pathlib import Path

import pytest
import torch

from zoo import card_folders
from zoo.adoption.adopt import adopt
from zoo.card_folders import card_folder, card_names, new_card_folder, root_of, user_home
from zoo.cards.card import write_card
from zoo.console import completion
from zoo.errors import OutputError
from zoo.weights.create import create_model
from zoo.weights.locate import list_pretrained, locate, resolve

from .cases import MODEL, NAME, make_tag
from .test_create import holds

MINE = f"{MODEL}.mine"


@pytest.fixture
def installed(monkeypatch) -> None:
    """No checkout: the package lies in site-packages."""
    monkeypatch.setattr(card_folders, "checkout_root", lambda: None)


@pytest.fixture
def checkpoint(tmp_path, state) -> Path:
    torch.save(state, tmp_path / "mine.pth")
    return tmp_path / "mine.pth"


@pytest.mark.parametrize(
    ("own", "shared", "found"),
    [
        ("/a/b", "/c", "/a/b"),
        ("", "/c", "/c/salu-zoo"),
        ("", "", "{home}/.local/share/salu-zoo"),
        ("~/z", "", "{home}/z"),
    ],
)
def test_the_users_folder(own, shared, found, monkeypatch, tmp_path):
    for name, value in {"HOME": str(tmp_path), "SALU_ZOO_HOME": own, "XDG_DATA_HOME": shared}.items():
        monkeypatch.setenv(name, value)
    assert user_home() == Path(found.format(home=tmp_path))


def test_where_a_new_card_goes(root, installed, monkeypatch, tmp_path):
    assert new_card_folder(NAME) == user_home() / "model_cards" / NAME
    monkeypatch.setattr(card_folders, "checkout_root", lambda: root)
    assert new_card_folder(NAME) == root / "model_cards" / NAME
    monkeypatch.setenv("SALU_ZOO_HOME", str(tmp_path / "own"))
    assert new_card_folder(NAME) == tmp_path / "own" / "model_cards" / NAME


def test_an_adopted_model_is_found_by_its_name_from_anywhere(home, installed, checkpoint, state, monkeypatch, tmp_path):
    done = adopt(checkpoint, MODEL, "mine")
    assert done.folder == home / "model_cards" / MINE
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert holds(create_model(MINE, pretrained=True), state)
    assert MINE in list_pretrained(MODEL)
    assert MINE in completion.image_tags()
    assert locate(resolve(MINE)) == done.folder / "model.safetensors"
    assert root_of(done.folder) == "home"
    assert list(Path.cwd().iterdir()) == []


def test_the_users_card_comes_before_the_zoos(home, card, state):
    mine = {name: value + 1 for name, value in state.items()}
    write_card(home / "model_cards" / NAME, mine, make_tag(), dtype="float32")
    assert card_folder(NAME) == home / "model_cards" / NAME
    assert card_names() == [NAME]
    assert holds(create_model(NAME, pretrained=True), mine)


def test_a_card_that_would_hide_another_needs_a_word(home, card, checkpoint):
    with pytest.raises(OutputError, match=r"is the card in .*Choose another --tag.*--force"):
        adopt(checkpoint, MODEL, "pets")
    assert not home.exists()
    assert adopt(checkpoint, MODEL, "pets", force=True).folder == home / "model_cards" / NAME
    assert card.is_dir()


def test_without_a_home_the_zoos_cards_are_found(card, monkeypatch):
    def nowhere(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("SALU_ZOO_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert list(card_folders.card_roots()) == ["checkout"]
    assert card_folder(NAME) == card
    with pytest.raises(OutputError, match="Set SALU_ZOO_HOME"):
        user_home()

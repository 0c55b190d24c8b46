"""The installed wheel: cards without weights, a user's own cards, a wheel of weights, and steps that work there."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from run_copy import run_copy

NAME = "fles_poolformer_cifar.cifar10"
BUILD = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]


@pytest.fixture(scope="module")
def site(repository, tmp_path_factory) -> Path:
    """What pip unpacks: a wheel of this project."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*BUILD, str(folder / "wheels")], cwd=repository, check=True, capture_output=True)
    return unpack(folder / "wheels", folder / "site")


def unpack(wheels: Path, place: Path) -> Path:
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


@pytest.fixture
def installed(site, tmp_path):
    """Run command lines, or Python, in a process with that copy, an empty home and no network; what each prints."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()

    return lambda *commands: run_copy(site, here, commands, HOME=str(home))


def test_steps_of_a_card_without_weights_need_none(installed):
    models = [["info", name, "--json"] for name in (NAME, "fles_poolformer_cifar")]
    listed, card, model = map(json.loads, installed(["list", "weights", "--json"], *models))
    assert {row["where"] for row in listed} == {"not on the Hub yet"}
    assert card["next"] == [f"zoo train {card['recipe']}", "zoo export fles_poolformer_cifar --no-pretrained"]
    assert model["next"] == ["zoo export fles_poolformer_cifar --no-pretrained", "zoo bench fles_poolformer_cifar"]


def test_all_cards_are_checked(installed, site, repository):
    readme = site / "zoo" / "weights" / "model_cards" / NAME / "README.md"
    edit = f"from pathlib import Path; p = Path({str(readme)!r}); p.write_text(p.read_text().replace('77.53', '97.53'))"
    whole, _, edited = installed(["card", "--check", "--json"], edit, ["card", NAME, "--check"])
    readme.write_bytes((repository / "model_cards" / NAME / "README.md").read_bytes())
    rows = json.loads(whole)
    assert [row["card"] for row in rows] == sorted(folder.name for folder in (repository / "model_cards").iterdir())
    assert [row["problem"] for row in rows] == [None] * len(rows)
    assert "differs from the stored" in edited
    assert edited.endswith("exit 1")


def test_what_is_adopted_is_found_by_name(installed, tmp_path):
    made = "import torch; torch.save(zoo.create_model('salunet_t_cifar', num_classes=3).state_dict(), 'mine.pth')"
    adopt = ["adopt", "mine.pth", "--model", "salunet_t_cifar", "--tag", "mine"]
    _, told = installed(made, adopt)
    folder = tmp_path / "home" / ".local" / "share" / "salu-zoo" / "model_cards" / "salunet_t_cifar.mine"
    assert str(folder) in told.replace("\n", "")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["mine.pth"]
    (tmp_path / "here" / "mine.pth").unlink()
    mine = "salunet_t_cifar.mine"
    shown, checked = installed(["info", mine, "--json"], ["card", mine, "--check"])
    found = json.loads(shown)
    assert found["file"]["path"] == str(folder / "model.safetensors")
    assert f"zoo predict IMAGE --model {mine}" in found["next"]
    assert "shows what is stored" in checked


def test_a_wheel_of_weights_completes_its_card(installed, site, repository, tmp_path):
    script = [sys.executable, "scripts/weights_wheels.py", "--output", str(tmp_path / "wheels"), NAME]
    subprocess.run(script, cwd=repository, check=True, capture_output=True)
    card = site / "zoo" / "weights" / "model_cards" / NAME
    before = set(card.iterdir())
    try:
        unpack(tmp_path / "wheels", site)
        assert {file.name for file in set(card.iterdir()) - before} >= {"model.safetensors", "curve.png"}
        load = f"print(len(zoo.create_model({NAME!r}, pretrained=True).state_dict()))"
        loaded, listed, checked = installed(load, ["list", "weights", "--json"], ["card", NAME, "--check"])
        assert int(loaded) > 0
        assert [row["where"] for row in json.loads(listed) if row["name"] == NAME] == ["installed"]
        assert "shows what is stored" in checked
    finally:
        for file in set(card.iterdir()) - before:
            file.unlink()


def test_a_wheel_of_no_card_is_refused(repository, tmp_path):
    script = [sys.executable, "scripts/weights_wheels.py", "--output", str(tmp_path / "wheels"), "nothing.cifar10"]
    done = subprocess.run(script, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 2
    assert NAME in done.stderr
    assert not (tmp_path / "wheels").exists()

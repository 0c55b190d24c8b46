"""The README's commands, run in the order in which they stand, in one folder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from finetuning.conftest import glue, recipe_file, start, tiny_row  # noqa: F401 fixtures
from test_road import network  # noqa: F401 a fixture

from zoo.data import load_vision

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("zoo ")]
QUICK = ["--epochs", "1", "--set", "runtime.workers=0"]
SAMPLE = ["--data", "demo/cifar10_sample"]


@pytest.fixture
def stand_ins(network, recipe_file, glue):  # noqa: F811
    """For a command that would take the Hub, or minutes: what replaces a word of it, and what is added."""
    return {
        "zoo finetune salunet_c18_cifar.cifar10": ({}, QUICK),
        "zoo finetune timm/resnet18": ({"timm/resnet18": f"{network}"}, ["--output", "runs/timm", *QUICK[2:]]),
        "zoo finetune glue": ({"glue": f"{recipe_file}"}, ["--data", f"{glue}", *QUICK[:2]]),
        "zoo evaluate salunet_c18_cifar.cifar10": ({}, SAMPLE),
    }


def test_commands_run_in_the_order_in_which_they_stand(stand_ins, run_zoo, tmp_path, monkeypatch):
    images = load_vision("cifar10", data=ROOT / "demo/cifar10_sample")
    images[0][0].save(tmp_path / "photo.png")
    for index in range(24):
        image, label = images[index]
        folder = tmp_path / "photos" / images.labels[label % 3]
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{index}.png")
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    monkeypatch.chdir(tmp_path)
    used = set()
    for line in COMMANDS:
        words = shlex.split(line, comments=True)
        known = next((begin for begin in stand_ins if line.startswith(begin)), None)
        changed, added = stand_ins.get(known, ({}, []))
        used |= {known}
        code, out, err = run_zoo(*(changed.get(word, word) for word in words[1:]), *added)
        assert code == 0, f"{line}\n{out}\n{err}"
    assert used - {None} == set(stand_ins)  # no stand-in for a command that is gone
    run = [sys.executable, "-I", "photos_edge/run.py", "photo.png", "--json"]
    assert subprocess.run(run, capture_output=True, check=False).returncode == 0
    assert {path.name for path in Path().iterdir()} >= {"runs", "classes.csv", "photos.onnx", "result.json", "site"}


def test_what_they_write_is_not_committed():
    written = ["photos.onnx", "photos.onnx.parity.json", "classes.csv", "photos_edge/x", "site/x", "models/x", "runs/x"]
    done = subprocess.run(["git", "check-ignore", *written], cwd=ROOT, capture_output=True, text=True, check=False)
    if "not a git repository" in done.stderr:
        pytest.skip("this copy of the source has no history")
    assert done.stdout.split() == written

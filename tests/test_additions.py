"""One place for each addition: a file or a row in a copy of the source is listed, built, timed, exported, carded."""

import json
import shutil

import pytest
from run_copy import run_copy

GATE = '''
"""bent(x) = x · sigmoid(steepness · x)."""

import torch
from torch import Tensor, nn

from zoo.activations.rivals.scalar_gate import ScalarGate
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec


def bent(x: Tensor, steepness: Tensor) -> Tensor:
    return x * torch.sigmoid(steepness * x)


class Bent(ScalarGate):
    steepness: nn.Parameter
    initial = {"steepness": 2.0}

    def forward(self, x: Tensor) -> Tensor:
        return bent(x, self.steepness)


FORMULA, LEARNED = "x · sigmoid(steepness · x)", (ParameterSpec("steepness", 2.0),)
ACTIVATIONS.add("bent", ActivationSpec("bent", FORMULA, bent, Bent, LEARNED, "gate", "here"))
'''
MODEL = '''
"""A small network with Bent, of a paper of its own."""

from zoo.models.fles_poolformer import OPTIONS, build
from zoo.models.model_spec import MODELS, ModelSpec
from zoo.models.paper import Paper, Reported

PAPER = Paper(
    title="Bent networks", id="arXiv:2611.00001", address="https://arxiv.org/abs/2611.00001", bibtex="@misc{bent}"
)
MODELS.add(
    "bent_net",
    ModelSpec(
        name="bent_net", build=build, family="bent", paper=PAPER, twin={"act": "silu"},
        numbers={"depths": (1, 1), "dims": (8, 16), "layer_scale_init_values": None, "cifar_stem": True},
        input_size=(3, 32, 32), num_classes=10, reduction=4, norm="groupnorm", norms=("groupnorm", "salu"), act="bent",
        first_conv="stem.conv", classifier="head.fc", options=OPTIONS, description="BentNet: two blocks",
        source=PAPER.id, reported={"cifar10": Reported(top1=91.0, top5=None, how="1 epoch", section="2")},
    ),
)
'''
TARGET = '''
"""The portable file for an older runtime."""

from export.export_target import ExportTarget

TARGET = ExportTarget(
    name="portable18", opset=18, ir_version=8, description="For older runtimes.", oldest_runtime="1.15"
)
'''
TASK = """
GLUE.add("mood", GlueTask("mood", ("sentence",), ("sad", "glad"), ("accuracy",), description="of a sentence"))
"""
DATASET = """
DATASETS.add("shapes", DatasetSpec("shapes", "org/shapes", num_classes=3, description="three shapes"))
"""


@pytest.fixture(scope="module")
def extended(repository, tmp_path_factory):
    """Run commands with a copy of the source that has one of each more; what each prints."""
    place = tmp_path_factory.mktemp("extended")
    for package in ("zoo", "export"):
        shutil.copytree(repository / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    added = {
        "zoo/activations/rivals/bent.py": GATE, "zoo/models/bent_net.py": MODEL, "export/targets/portable18.py": TARGET
    }  # fmt: skip
    for name, text in added.items():
        (place / name).write_text(text.lstrip(), "utf-8")
    for name, row in {"zoo/data/glue.py": TASK, "zoo/data/image_dataset.py": DATASET}.items():
        with (place / name).open("a", encoding="utf-8") as file:
            file.write(row)

    return lambda *commands: run_copy(place, place, commands, SALU_ZOO_HOME=str(place / "home"))


def test_each_is_listed_and_explained(extended):
    names = {"activations": "bent", "models": "bent_net", "tasks": "mood", "datasets": "shapes"}
    asked = [["list", kind, "--json"] for kind in names] + [["info", name, "--json"] for name in names.values()]
    *lists, helped = extended(*asked, ["info", "portable18", "--json"])
    for kind, name, told, said in zip(names, names.values(), lists[: len(names)], lists[len(names) :], strict=True):
        assert name in [row["name"] for row in json.loads(told)], kind
        assert json.loads(said)["name"] == name, kind
    assert json.loads(helped)["name"] == "portable18"


def test_it_is_built_exported_and_timed_beside_its_twin(extended):
    built = "import timm, zoo.models; print(type(timm.create_model('bent_net').stages[0].blocks[0].mlp.act).__name__)"
    gate = "import zoo; print(type(zoo.create_model('salunet_c18_cifar', act='bent').act1).__name__)"
    export = ["export", "bent_net", "--no-pretrained", "--target", "portable18", "--json"]
    bench = ["bench", "files", "bent_net", "--target", "portable18", "--runs", "1", "--json"]
    first, second, exported, timed = extended(built, gate, export, bench)
    assert (first.strip(), second.strip()) == ("Bent", "Bent")
    assert json.loads(exported)["parity"]["passed"] is True
    assert {row["label"] for row in json.loads(timed)["rows"]} == {
        "bent_net, portable18",
        "silu, portable18",
    }


def test_its_card_names_its_own_paper(extended):
    train = "import zoo, torch; torch.save(zoo.create_model('bent_net').state_dict(), 'bent.pth')"
    adopt = ["adopt", "bent.pth", "--model", "bent_net", "--tag", "cifar10", "--dataset", "cifar10"]
    show = (
        "from zoo.card_folders import card_folder; print((card_folder('bent_net.cifar10') / 'README.md').read_text())"
    )
    figure = "from zoo.cards.papers import paper_figure; print(paper_figure('bent_net', 'cifar10'))"
    *_, readme, reported, checked = extended(train, adopt, show, figure, ["card", "bent_net.cifar10", "--check"])
    assert "[Bent networks](https://arxiv.org/abs/2611.00001)" in readme
    assert "@misc{bent}" in readme
    assert "BentNet of the paper" in reported
    assert "shows what is stored" in checked

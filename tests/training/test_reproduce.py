"""The command that repeats a run leads to the very recipe it was made from."""

import json
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from zoo.training import list_recipes, load_recipe
from zoo.training.reproduce import reproduce
from zoo.training.texts.finetuning_recipe import load_finetune_recipe

CARDS = Path(__file__).resolve().parents[2] / "model_cards"


def sets(command: str) -> list[str]:
    words = shlex.split(command)
    return [value for option, value in pairwise(words) if option == "--set"]


@pytest.mark.parametrize("name", list_recipes())
def test_a_shipped_recipe_needs_no_changes(name):
    assert reproduce(name, load_recipe(name).to_dict()) == f"zoo train {name}"


def test_changes_of_every_kind_survive_the_shell():
    changes = [
        "model.norm=batchnorm", "model.args={}", "schedule.epochs=3", "optimizer.lr=1e-4", "runtime.compile=false",
        "schedule.resolution=[[1, 16], [2, 24]]", 'data.eval_split="a b"', "optimizer.args.betas=[0.9, 0.99]",
    ]  # fmt: skip
    wanted = load_recipe("c18_cifar10_short", changes)
    command = reproduce("c18_cifar10_short", json.loads(json.dumps(wanted.to_dict())))
    assert command.startswith("zoo train c18_cifar10_short --set ")
    assert load_recipe("c18_cifar10_short", sets(command)) == wanted
    assert len(sets(command)) == len(changes)


def test_a_recipe_that_is_not_shipped_has_no_command():
    recipe = load_recipe("c18_cifar10").to_dict()
    assert reproduce("my_own", recipe) is None
    assert reproduce(None, recipe) is None
    assert reproduce("c18_cifar10", {**recipe, "data": {**recipe["data"], "unheard_of": 3}}) is None


def test_a_recipe_from_before_a_field_was_added():
    recipe = load_recipe("c18_cifar10").to_dict()
    del recipe["runtime"]["workers"]
    assert reproduce("c18_cifar10", recipe) == "zoo train c18_cifar10"


@pytest.mark.parametrize("card", sorted(CARDS.glob("*/results.json")), ids=lambda file: file.parent.name)
def test_the_commands_on_the_cards_are_true(card):
    training = json.loads(card.read_text("utf-8"))["training"]
    words = shlex.split(training["command"])
    load = load_finetune_recipe if words[1] == "finetune" else load_recipe
    made = json.loads(json.dumps(load(words[2], sets(training["command"])).to_dict()))
    made.pop("name", None)
    for section, wanted in training["recipe"].items():
        if isinstance(wanted, dict):
            started = {"start": made[section]["start"]} if "base_model" in training and section == "model" else {}
            assert wanted | started == {key: made[section][key] for key in wanted}

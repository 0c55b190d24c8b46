import json
import shlex

import pytest
import typer
from typer.testing import CliRunner

from zoo.commands import finetune as command


@pytest.fixture
def zoo_finetune():
    app = typer.Typer()
    command.register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)


def test_it_prints_only_json(zoo_finetune, recipe_file, glue, tmp_path):
    fixed = [recipe_file, "--data", glue, "--output", tmp_path / "run", "--device", "cpu", "--json"]
    done = zoo_finetune(*fixed, "--task", "sst2", "--act", "silu", "--seed", 3, "--set", "schedule.epochs=1")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    recipe = found["recipe"]
    assert (recipe["model"]["act"], recipe["runtime"]["seed"], recipe["schedule"]["epochs"]) == ("silu", 3, 1)
    assert found["metrics"] == ["accuracy"]
    assert shlex.split(found["adopt"])[:3] == ["zoo", "adopt", str(tmp_path / "run")]
    assert zoo_finetune(*fixed).exit_code == 1


def test_list_names_the_recipes(zoo_finetune):
    assert "MiniLM-L6 on a GLUE task" in zoo_finetune("--list").stdout
    assert set(json.loads(zoo_finetune("--list", "--json").stdout)) == {"glue"}


def test_a_recipe_is_needed(zoo_finetune):
    done = zoo_finetune()
    assert done.exit_code == 2
    assert "zoo finetune --list" in done.output

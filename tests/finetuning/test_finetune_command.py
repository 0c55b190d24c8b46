import json
import shlex

import pytest
import typer
from typer.testing import CliRunner

from zoo.commands import finetune as command
from zoo.errors import ZooError


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
    assert set(json.loads(zoo_finetune("--list", "--json").stdout)) == {"finetune_images", "glue"}


def test_a_recipe_is_needed(zoo_finetune):
    done = zoo_finetune()
    assert done.exit_code == 2
    assert "zoo finetune --list" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "sst3"], ["data.task: unknown 'sst3'", "Nearest: sst2"]),
        (["--act", "swalo"], ["model.act: unknown 'swalo'"]),
        (["--set", "model.name=bert"], ["model.name: unknown 'bert'", "fles_bert_base"]),
        (["--task", "cola"], ["Asked for cola", "no folder 'cola'", "sst2, stsb"]),
        (["--data", "nowhere"], ["nowhere"]),
        (["--start", "nowhere/at/all"], ["model.start: nothing to load at 'nowhere/at/all'", "--start"]),
        (["--start", "."], ["model.start: nothing to load at '.'"]),
        (["--device", "cuda:7"], ["cuda:7", "usable CUDA devices"]),
        (["--device", "tpu"], ["tpu"]),
        (["--set", "data.max_length=64"], ["data.max_length: 64", "Lower it"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_what_is_wrong_is_said_and_leaves_nothing(
    zoo_finetune, recipe_file, glue, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = zoo_finetune(recipe_file, "--data", glue, "--device", "cpu", "--output", "run", *arguments)
    assert isinstance(done.exception, ZooError)
    message = str(done.exception)
    assert all(word in message for word in words), message
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_undefined_metric_is_said(capsys):
    from pathlib import Path

    from torch import nn

    from zoo.training.texts.finetune_texts import FinetuneResult

    recipe = {"model": {"name": "fles_tiny"}, "data": {"task": "stsb"}}
    summary = {"recipe": recipe, "metrics": ["pearson"], "results": {}, "unmeasured": "No correlation.", "seconds": 60}
    command._report_texts(FinetuneResult(Path("run"), nn.Identity(), summary), as_json=False)
    assert "Not measured: No correlation.  after 1.0 min" in capsys.readouterr().out

import json
import shlex
from pathlib import Path

import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from zoo import cli
from zoo.commands import train as command
from zoo.training import list_recipes
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of

from .tiny import MODEL, TEXT


@pytest.fixture
def zoo_train():
    app = typer.Typer()
    command.register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)


def test_train_prints_only_json_and_resumes(zoo_train, tiny_data, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(TEXT)
    fixed = [file, "--data", tiny_data, "--output", tmp_path / "run", "--device", "cpu", "--json"]
    arguments = [*fixed, "--epochs", 1, "--set", "model.act=galu", "--workers", 0, "--no-compile"]
    done = zoo_train(*arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["recipe"]["schedule"]["epochs"] == 1
    assert found["recipe"]["model"]["act"] == "galu"
    assert found["recipe"]["runtime"]["workers"] == 0
    assert found["results"]["epoch"] == 1
    assert (tmp_path / "run/model.safetensors").stat().st_size > 1000
    assert "epoch 1/1" in done.stderr
    assert zoo_train(*arguments).exit_code == 1
    assert zoo_train(*arguments, "--resume").exit_code == 0


def test_the_commands_it_prints_measure_the_run_and_make_a_card(zoo_train, tiny_data, tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text(TEXT)
    run = tmp_path / "a run"
    options = ["--data", tiny_data, "--output", run, "--device", "cpu", "--epochs", 1, "--set", "model.act=galu"]
    done = zoo_train(file, *options)
    assert done.exit_code == 0, done.output
    *steps, command = [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("  zoo ")]
    assert [step[1] for step in steps] == ["evaluate", "export"]
    assert command[:2] == ["zoo", "adopt"]
    assert Path(command[2]).resolve() == run
    with pytest.raises(SystemExit) as left:
        cli.main(steps[0][1:])
    assert left.value.code == 0, capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        cli.main([*command[1:], "--output", str(tmp_path / "card"), "--dtype", "float32"])
    assert left.value.code == 0, capsys.readouterr().err
    model = create_model(tmp_path / "card")
    assert identity_of(model).tag.name == f"{MODEL}.cifar10"
    assert identity_of(model).tag.model_args == {"act": "galu"}
    trained = load_file(run / "model.safetensors")
    assert all(torch.equal(trained[name], value) for name, value in model.state_dict().items())


def test_list_names_every_recipe(zoo_train):
    assert set(json.loads(zoo_train("--list", "--json").stdout)) == set(list_recipes())
    shown = zoo_train("--list").stdout
    assert all(name in shown for name in list_recipes())


def test_without_a_recipe_it_says_how_to_find_one(zoo_train):
    refused = zoo_train()
    assert refused.exit_code == 2
    assert "--list" in refused.stderr

import json

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from zoo.benchmarks import training_speed
from zoo.benchmarks.kernel_case import Layout, Pass
from zoo.benchmarks.kernels import DTYPES, OPERATORS
from zoo.benchmarks.training_memory import StepMemory
from zoo.cli import build_app
from zoo.commands import _bench_kernels, _bench_train
from zoo.console.bench_group import bench_group
from zoo.errors import ConfigurationError, OutputError
from zoo.training.recipe import Precision

KERNELS = ["kernels", "--op", "salu", "--size", "4096", "--runs", 2, "--warmup", 1, "--no-compile", "--device", "cpu"]
TRAIN = ["train", "salunet_c18_cifar", "--size", 8, "--batch-size", 4, "--runs", 1, "--warmup", 1, "--mode", "eager"]
TRAIN += ["--device", "cpu", "--precision", "float32"]


def bench(*arguments):
    return CliRunner().invoke(build_app(), ["bench", *map(str, arguments)])


def test_kernels_prints_a_table(chosen):
    done = bench(*KERNELS, "--step", "both")
    assert done.exit_code == 0, done.output
    assert "timing salu, float32" in done.stderr
    shown = done.stdout
    for words in ("forward + backward", "copy_", "plain, eager", "BatchNorm + ReLU, eager", "100 %", "of a copy"):
        assert words in shown
    assert "not measured" not in shown


def test_rows_of_a_gpu_are_listed_where_asked(chosen):
    lines = bench(*KERNELS, "--mark-gpu").stdout.splitlines()
    assert [line.split()[:2] for line in lines if "not measured" in line] == [["salu", "forward"], ["salu", "forward"]]


def test_kernels_as_json_and_into_a_file(chosen, tmp_path):
    done = bench(*KERNELS, "--json", "--output", tmp_path / "k.json")
    found = json.loads(done.stdout)
    assert json.loads((tmp_path / "k.json").read_text()) == found
    assert [row["side"] for row in found["rows"][:5]] == ["copy", "clone", "fused", "eager", "batchnorm_relu"]
    assert found["rows"][2]["bytes_moved"] == 2 * 4096 * 4


def test_train_prints_a_table_and_memory_where_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(
        training_speed, "step_memory", lambda subject: StepMemory(saved_bytes=12_345_678, peak_bytes=9 * 10**8)
    )
    done = bench(*TRAIN, "--memory", "--mark-gpu", "--output", tmp_path / "t.json")
    assert done.exit_code == 0, done.output
    for words in ("batchnorm + relu", "eager, unfused", "4 x 8 px", "12.3", "900.0", "float32, channels last"):
        assert words in done.stdout
    assert done.stdout.count("not measured") == 2
    stored = json.loads((tmp_path / "t.json").read_text())
    assert f"{stored['rows'][0]['ratio']['median']:.3f}" in done.stdout
    assert stored["rows"][1]["memory"] == {"saved_bytes": 12_345_678, "peak_bytes": 9 * 10**8}


@pytest.mark.parametrize("command", [KERNELS, TRAIN], ids=["kernels", "train"])
def test_what_cannot_be_written_is_refused_before_anything_is_timed(command, tmp_path):
    done = bench(*command, "--output", tmp_path)
    assert isinstance(done.exception, OutputError)
    assert "timing" not in done.stderr


def test_errors_are_those_of_the_library():
    assert isinstance(bench(*KERNELS, "--dtype", "int8").exception, ConfigurationError)
    assert bench("train", "--runs", "0").exit_code == 2


def test_the_choices_named_in_the_help_are_those_of_the_library():
    """The command line does not import torch, so it has lists of its own."""
    from typing import get_args

    assert sorted(_bench_kernels.NAMES) == sorted(OPERATORS)
    assert (DTYPES, get_args(Precision)) == (_bench_kernels.DTYPES, _bench_train.PRECISIONS)
    assert (get_args(Pass), get_args(Layout)) == (_bench_kernels.STEPS, _bench_kernels.LAYOUTS)
    assert (training_speed.MODELS, get_args(training_speed.Mode)) == (_bench_train.USUAL, _bench_train.MODES)


@pytest.fixture
def grouped():
    """The group with two commands that say what they were given."""
    app = typer.Typer()
    app.command("other")(lambda: None)

    def files(model: str, target: str = "none") -> None:
        """Of files."""
        typer.echo(f"files {model} {target}")

    bench_group(app).command("files")(files)
    bench_group(app).command("kernels")(lambda: typer.echo("kernels"))
    return lambda *arguments: CliRunner().invoke(app, ["bench", *arguments])


def test_a_first_word_that_is_no_command_is_a_model(grouped):
    assert grouped("x").stdout == grouped("files", "x").stdout == "files x none\n"
    assert grouped("x", "--target", "t").stdout == grouped("--target", "t", "x").stdout == "files x t\n"
    assert grouped("kernels").stdout == "kernels\n"
    assert grouped("x", "--nonsense").exit_code == 2


def test_help_shows_the_commands_and_the_usual_one(grouped):
    shown = grouped("--help").stdout
    assert "kernels" in shown
    assert "--target" in shown
    assert "--target" in grouped("x", "--help").stdout
    assert grouped().exit_code == 2


def test_whoever_registers_first_makes_the_group():
    app = typer.Typer()
    assert bench_group(app) is bench_group(app)
    assert set(get_command(build_app()).commands["bench"].commands) == {"kernels", "train", "files"}

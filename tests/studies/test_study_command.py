import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from zoo.commands import study as command
from zoo.errors import ConfigurationError, DataNotFoundError, OutputError
from zoo.studies.batch_size.report import make_report as batch_size_report
from zoo.studies.plasticity.report import make_report as plasticity_report
from zoo.studies.plasticity.run import RECIPE
from zoo.training import load_recipe

DATA = {use: {"images": 16, "classes": 10} for use in ("train", "held_out", "evaluation")}


@pytest.fixture
def zoo_study():
    app = typer.Typer()
    command.register(app)
    return lambda *arguments: CliRunner().invoke(app, ["study", *map(str, arguments)], catch_exceptions=True)


@pytest.fixture
def plasticity_file(tmp_path):
    def run(stabiliser, seed, end):
        watched = [{"epoch": e, "slopes": [0.25 + e * end] * 3} for e in range(3)]
        log = [{"epoch": 2, "val_top1": 50.0 + seed, "train_loss": 1.5}]
        rest = {"diverged": None, "seconds": 1.0, "finished": "", "environment": {}}
        return {"stabiliser": stabiliser, "seed": seed, "watched": watched, "log": log, **rest}

    runs = [run(s, k, 0.1 * (i + 1) + 0.001 * k) for i, s in enumerate(("batchnorm", "none", "salu")) for k in (0, 1)]
    return write(tmp_path / "plasticity.json", plasticity_report(load_recipe(RECIPE), runs, DATA))


@pytest.fixture
def batch_size_file(tmp_path):
    def cell(network, size, top1, diverged=None):
        figures = {"top1": top1, "loss": 1.0, "train_loss": 1.234, "top1_batch_statistics": None}
        own = {"network": network, "batch_size": size, "lr": 0.01, "steps": 16 // size, "seconds": 2.0}
        return {**own, **figures, "diverged": diverged}

    cells = [cell("SaluNet-C-18", 1, 40.0), cell("BN+ReLU", 1, None, "not finite")]
    cells += [cell("SaluNet-C-18", 16, 45.0), cell("BN+ReLU", 16, 51.0)]
    return write(tmp_path / "batch_size.json", batch_size_report(load_recipe(RECIPE), cells, DATA))


def write(path, report):
    path.write_text(json.dumps(report))
    return path


def test_show_prints_the_table_and_the_verdict(zoo_study, plasticity_file, batch_size_file):
    shown = zoo_study("plasticity", "--show", plasticity_file).stdout
    assert "0.851 ± 0.001" in shown, "0.25 + 2·0.3 and 0.25 + 2·0.301"
    assert "50.50 ± 0.71" in shown
    assert "Of the paper's three observations" in shown
    shown = zoo_study("batch-size", "--show", batch_size_file).stdout
    assert "1 of 1 diverged" in shown
    assert "40.00 ± 12.25" in shown, "sqrt(40·60/16)"
    assert "borne out: at batch size 1 BN+ReLU fails" in " ".join(shown.split())


@pytest.mark.parametrize("study", ["plasticity", "batch-size"])
def test_show_draws_again_and_gives_the_report_as_json(zoo_study, request, study, tmp_path):
    file = request.getfixturevalue(f"{study.replace('-', '_')}_file")
    picture, copy = tmp_path / "again.png", tmp_path / "copy.json"
    done = zoo_study(study, "--show", file, "--picture", picture, "--report", copy, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(file.read_text()) == json.loads(copy.read_text())
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_report_of_the_other_study_or_none_is_refused(zoo_study, plasticity_file, tmp_path):
    found = zoo_study("batch-size", "--show", plasticity_file).exception
    assert isinstance(found, ConfigurationError)
    assert "is of 'plasticity'" in str(found)
    assert isinstance(zoo_study("plasticity", "--show", tmp_path / "none.json").exception, DataNotFoundError)
    (tmp_path / "text.json").write_text("slopes")
    assert isinstance(zoo_study("plasticity", "--show", tmp_path / "text.json").exception, ConfigurationError)


def test_what_cannot_be_written_is_refused_before_anything_runs(zoo_study, tmp_path, tiny_data):
    arguments = ["--data", tiny_data, "--output", tmp_path / "runs", "--report", tmp_path]
    assert isinstance(zoo_study("plasticity", *arguments).exception, OutputError)
    assert not (tmp_path / "runs").exists()


def test_the_command_runs_a_study_and_resumes_it(zoo_study, tiny_data, tmp_path, monkeypatch):
    text = RECIPE.read_text().replace("batch_size = 128", "batch_size = 8")
    small = tmp_path / "small.toml"
    small.write_text(text.replace("bfloat16", "float32") + "eval_batch_size = 21\n")
    monkeypatch.setattr("zoo.studies.plasticity.run.RECIPE", small)
    arguments = ["plasticity", "--data", tiny_data, "--output", tmp_path / "runs", "--device", "cpu", "--epochs", 2]
    arguments.append("--no-compile")
    done = zoo_study(*arguments, "--seeds", 1, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [len(run["watched"]) for run in report["runs"]] == [3, 3, 3]
    assert isinstance(zoo_study(*arguments, "--seeds", 1).exception, OutputError)
    more = json.loads(zoo_study(*arguments, "--seeds", 2, "--resume", "--json").stdout)
    assert more["runs"][:3] == report["runs"]
    assert len(more["runs"]) == 6


def test_samples_must_be_a_multiple(zoo_study, tiny_data, tmp_path):
    done = zoo_study("batch-size", "--data", tiny_data, "--output", tmp_path / "runs", "--samples", 1000)
    assert isinstance(done.exception, ConfigurationError)
    assert "such as 1024" in str(done.exception)


def test_help_loads_no_torch():
    code = "import sys; from zoo import cli; cli.build_app(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr

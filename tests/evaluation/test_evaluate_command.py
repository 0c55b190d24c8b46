import json
from types import SimpleNamespace

import pytest
import typer
from tiny_images import write_cifar10
from typer.testing import CliRunner

import zoo.evaluation.subject as subject_module
from evaluation.test_subject import FileModel
from zoo.commands import evaluate as command
from zoo.errors import OutputError, UnknownNameError
from zoo.evaluation import EvalResult


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `zoo evaluate` on a file that a fake reader opens, with the dataset in place."""
    entry = SimpleNamespace(name="tiny", load=lambda: FileModel)
    monkeypatch.setattr(subject_module, "entry_points", lambda group: [entry])
    (tmp_path / "model.tiny").write_bytes(b"weights")
    data = write_cifar10(tmp_path / "data", 12)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)

    def invoke(*options, dataset="cifar10"):
        base = ["evaluate", str(tmp_path / "model.tiny"), "--dataset", dataset, "--data", str(data)]
        return CliRunner().invoke(app, [*base, "--device", "cpu", "--workers", "0", *options])

    return invoke


def test_table(run):
    done = run()
    assert done.exit_code == 0, done.output
    assert "Top-1" in done.stdout
    assert "of 12" in done.stdout


def test_json_is_all_there_is_on_stdout(run, tmp_path):
    done = run("--json", "--output", str(tmp_path / "new" / "result.json"), "--limit", "6")
    assert done.exit_code == 0, done.output
    result = EvalResult.from_dict(json.loads(done.stdout))
    assert result.n == 6
    assert EvalResult.from_dict(json.loads((tmp_path / "new" / "result.json").read_text())) == result


def test_output_that_cannot_be_written_still_shows_the_result(run, tmp_path):
    (tmp_path / "file").touch()
    done = run("--output", str(tmp_path / "file" / "result.json"))
    assert isinstance(done.exception, OutputError)
    assert done.exit_code != 0
    assert "Top-1" in done.stdout


def test_other_ranks_print_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    done = run("--output", str(tmp_path / "result.json"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert not (tmp_path / "result.json").exists()


def test_unknown_dataset(run):
    done = run(dataset="cifar11")
    assert isinstance(done.exception, UnknownNameError)
    assert "cifar10" in str(done.exception)


def test_usage_errors_exit_with_two(run):
    assert run("--batch-size", "0").exit_code == 2


def test_default_workers_leave_a_core(monkeypatch):
    monkeypatch.setattr(command.os, "cpu_count", lambda: 2)
    assert command._default_workers() == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert command._default_workers() == 0
    monkeypatch.setattr(command.os, "cpu_count", lambda: 64)
    assert command._default_workers() == 4

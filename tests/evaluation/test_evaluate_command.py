import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny_texts
import typer
from tiny_images import write_cifar10
from typer.testing import CliRunner

import zoo.evaluation.runtime as runtime_module
from evaluation.test_evaluate_text import FileModel as TextFile
from evaluation.test_subject import FileModel
from zoo.commands import evaluate as command
from zoo.devices import Processes
from zoo.errors import ConfigurationError, OutputError, UnknownNameError
from zoo.evaluation import EvalResult, TextResult
from zoo.models.text_models import TEXT_MODELS


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `zoo evaluate` on a file that a fake reader opens, with the dataset in place."""
    entry = SimpleNamespace(name="tiny", load=lambda: FileModel)
    monkeypatch.setattr(runtime_module, "entry_points", lambda group: [entry])
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


def test_table_of_changed_weights(run, capsys):
    result = EvalResult.from_dict(json.loads(run("--json").stdout))
    command._print_table(result)
    assert "changed since" not in capsys.readouterr().out
    command._print_table(replace(result, changed_since="tiny.test"))
    assert "changed since tiny.test" in capsys.readouterr().out


def test_json_is_all_there_is_on_stdout(run, tmp_path):
    done = run("--json", "--output", str(tmp_path / "new" / "result.json"), "--limit", "6")
    assert done.exit_code == 0, done.output
    result = EvalResult.from_dict(json.loads(done.stdout))
    assert result.n == 6
    assert EvalResult.from_dict(json.loads((tmp_path / "new" / "result.json").read_text())) == result


def test_output_that_cannot_be_written_is_found_before_the_work(run, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("zoo.evaluation.evaluator.evaluate", lambda *a, **k: pytest.fail("the work was begun"))
    for place in (tmp_path / "file" / "result.json", tmp_path):
        done = run("--output", str(place))
        assert isinstance(done.exception, OutputError)
        assert done.stdout == ""


def test_a_disk_that_fills_meanwhile_does_not_lose_the_result(run, tmp_path, monkeypatch):
    def full(path, value):
        raise OutputError("No space left on device")

    monkeypatch.setattr(command, "write_json", full)
    done = run("--output", str(tmp_path / "result.json"))
    assert isinstance(done.exception, OutputError)
    assert "Top-1" in done.stdout


@pytest.mark.parametrize(("world", "prints"), [("2", False), ("1", True), (None, True)])
def test_only_the_first_of_several_processes_prints(run, tmp_path, monkeypatch, world, prints):
    monkeypatch.setattr("zoo.evaluation.evaluator.join_processes", lambda device: Processes())
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if world is not None:
        monkeypatch.setenv("WORLD_SIZE", world)
    done = run("--output", str(tmp_path / "result.json"))
    assert done.exit_code == 0, done.output
    assert (done.stdout != "", (tmp_path / "result.json").exists()) == (prints, prints)


def test_processes_part_after_an_error_too(run, monkeypatch):
    left = []
    monkeypatch.setattr(command, "leave_processes", lambda: left.append(True))
    assert run("--limit", "99").exit_code != 0
    assert run().exit_code == 0
    assert left == [True, True]


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


@pytest.fixture
def run_text(tmp_path, monkeypatch):
    """Run `zoo evaluate` on a text model's file, with the task in place."""
    monkeypatch.setitem(TEXT_MODELS._items, tiny_texts.NAME, tiny_texts.SPEC)
    entry = SimpleNamespace(name="tiny", load=lambda: TextFile)
    monkeypatch.setattr(runtime_module, "entry_points", lambda group: [entry])
    (tmp_path / "model.tiny").write_bytes(b"weights")
    data = tiny_texts.write_sst2(tmp_path / "glue")
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)

    def invoke(*options):
        base = ["evaluate", str(tmp_path / "model.tiny"), "--data", str(data), "--device", "cpu"]
        return CliRunner().invoke(app, [*base, *options])

    return invoke


def test_a_task_as_table_and_json(run_text, tmp_path):
    done = run_text("--task", "sst2")
    assert done.exit_code == 0, done.output
    assert "Accuracy" in done.stdout
    assert "of 12" in done.stdout
    done = run_text("--task", "sst2", "--json", "--output", str(tmp_path / "result.json"), "--limit", "6")
    assert done.exit_code == 0, done.output
    result = TextResult.from_dict(json.loads(done.stdout))
    assert (result.n, result.dataset) == (6, "sst2")
    assert TextResult.from_dict(json.loads((tmp_path / "result.json").read_text())) == result


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name what to measure on"),
        (("--task", "sst2", "--dataset", "cifar10"), "exclude each other"),
        (("--task", "sst2", "--img-size", "32"), "for images only"),
        (("--task", "sst2", "--workers", "0"), "for images only"),
    ],
)
def test_images_and_texts_exclude_each_other(run_text, options, said):
    done = run_text(*options)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_unknown_task(run_text):
    done = run_text("--task", "sst")
    assert isinstance(done.exception, UnknownNameError)
    assert "sst2" in str(done.exception)


def test_a_table_by_class_and_a_class_map_that_cannot_be_read(run, tmp_path):
    done = run("--per-class", str(tmp_path / "classes.csv"))
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "classes.csv").read_text("utf-8").splitlines()))
    assert sum(int(row["images"]) for row in rows) > 0
    assert all(row["name"] for row in rows)
    for text in ("{", "[1]", '{"a": 1.5}'):
        (tmp_path / "map.json").write_text(text, "utf-8")
        assert isinstance(run("--classes", str(tmp_path / "map.json")).exception, ConfigurationError)

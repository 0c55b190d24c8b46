"""`zoo export` and `zoo validate`, with a small model in place of a named one."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from tiny_text_model import text_model
from tiny_texts import write_sst2
from typer.testing import CliRunner

from export import ModelMismatchError, ParityError, ParityReport, TargetError
from export.commands import register
from zoo.errors import ConfigurationError, OutputError


@pytest.fixture
def run(tiny_by_name):
    """Run a command; `create_model` gives `tiny()`."""
    app = typer.Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    return tmp_path_factory.mktemp("commands") / "out.onnx"


def test_export_prints_only_json_on_stdout(run, where):
    done = run("export", "tiny.test", "--output", where, "--threads", 1, "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["path"] == str(where)
    assert (result["model"], result["parity"]["passed"]) == ("tiny", True)
    assert "1. trace" in done.stderr
    assert where.is_file()


def test_validate(run, where):
    done = run("validate", where, "tiny.test", "--threads", 1)
    assert done.exit_code == 0, done.stderr
    assert "passed: 20 images" in done.stdout
    assert "against float64" in done.stdout
    assert json.loads(run("validate", where, "tiny.test", "--json").stdout)["passed"] is True


def test_validate_writes_a_report_that_was_lost(run, where, tmp_path):
    done = run("validate", where, "tiny.test", "--threads", 1, "--report", tmp_path / "r.json", "--json")
    assert done.exit_code == 0, done.stderr
    report = ParityReport.load(tmp_path / "r.json")
    assert report.passed
    assert report.file_sha256 == json.loads(done.stdout)["file_sha256"]
    done = run("validate", where, "tiny.test", "--report", tmp_path)
    assert isinstance(done.exception, OutputError)


def test_help_names_the_targets(run):
    text = run("export", "--help").stdout
    assert "portable:" in text


def test_validate_fails_with_the_reasons(run, where, monkeypatch):
    from export.parity import judge

    monkeypatch.setattr(judge, "failures", lambda *_: ("too far",))
    done = run("validate", where, "tiny.test")
    assert done.exit_code == 1
    assert isinstance(done.exception, ParityError)
    assert "too far" in str(done.exception)


def test_file_of_another_model(run, exported):
    done = run("validate", exported.path, "tiny.test")
    assert isinstance(done.exception, ModelMismatchError)


def test_unknown_target(run, tmp_path):
    done = run("export", "tiny.test", "--target", "portible", "--output", tmp_path / "x.onnx")
    assert isinstance(done.exception, TargetError)
    assert not list(tmp_path.iterdir())


def test_imports_stay_light():
    """`zoo --help` loads `export.commands`; neither it nor the package may pull in what only an export needs."""
    code = (
        "import sys, export, export.commands; "
        "heavy = {'onnx', 'onnx_ir', 'onnxruntime', 'onnxscript', 'export.pipeline.export_model'} & set(sys.modules); "
        "assert not heavy, heavy; assert set(export.__all__) <= set(dir(export))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def run_text(monkeypatch):
    """Run a command; `create_model` gives `text_model()`."""

    def create_model(name, pretrained=None, **_):
        return text_model()

    monkeypatch.setattr("zoo.names.open_model", lambda *a, **k: SimpleNamespace(model=create_model(*a, **k)))
    app = typer.Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def test_text_model_on_texts_of_a_file(run_text, text_exported, tmp_path):
    (tmp_path / "texts.txt").write_text("a good film\na dull one\tnot fun\n", encoding="utf-8")
    done = run_text("validate", text_exported.path, "tiny_bert", "--data", tmp_path / "texts.txt", "--threads", 1)
    assert done.exit_code == 0, done.stderr
    assert "2 texts of texts.txt" in done.stdout
    assert "passed: 12 texts" in " ".join(done.stdout.split())


def test_text_model_on_a_task(run_text, text_exported, tmp_path):
    data = write_sst2(tmp_path, 20)
    done = run_text(
        "validate", text_exported.path, "tiny_bert", "--task", "sst2", "--data", data, "--threads", 1, "--json"
    )
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["samples"], report["n_texts"]) == ("20 texts of sst2 (validation)", 20)
    assert len(report["invariance"]) == 9


def test_options_of_the_other_kind(run_text, text_exported, repository, tmp_path):
    output, images = ("--output", tmp_path / "x.onnx"), repository / "demo/cifar10_sample"
    for arguments, message in (
        (("--img-size", 32), "Leave --img-size"),
        (("--dataset", "cifar10", "--data", images), "Leave --dataset out"),
        (("--dataset", "cifar10", "--task", "sst2"), "Both --dataset"),
        (("--data", images), "add --task"),
    ):
        for command in (("export", "tiny_bert", *output), ("validate", text_exported.path, "tiny_bert")):
            done = run_text(*command, *arguments)
            assert isinstance(done.exception, ConfigurationError), done.output
            assert message in str(done.exception)
    assert not (tmp_path / "x.onnx").exists()


def test_task_is_for_texts(run, tmp_path):
    data = write_sst2(tmp_path, 4)
    done = run("export", "tiny.test", "--output", tmp_path / "x.onnx", "--task", "sst2", "--data", data)
    assert isinstance(done.exception, ConfigurationError)
    assert "Leave --task out" in str(done.exception)

"""`zoo export --bundle --serve`, with a small model in place of a named one."""

import json
import sys

import pytest
import typer
from google.protobuf import text_format
from typer.testing import CliRunner

from export.commands import register
from export.errors import ExportError
from zoo.errors import ConfigurationError, OutputError


@pytest.fixture
def run(tiny_by_name):
    app = typer.Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["export", "tiny.test", *map(str, arguments), "--threads", "1"])


def test_both_folders(run, tmp_path):
    pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")
    given = ("--output", tmp_path / "x.onnx", "--bundle", tmp_path / "edge", "--serve", tmp_path / "models")
    done = run(*given, "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["bundle"] == str(tmp_path / "edge")
    assert result["served"] == {"path": str(tmp_path / "models/tiny"), "version": 1, "added": True}
    assert (tmp_path / "edge/run.py").is_file()
    assert (tmp_path / "models/tiny/1/model.onnx").read_bytes() == (tmp_path / "x.onnx").read_bytes()


def test_options_of_the_repository(run, tmp_path):
    schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")
    serving = ("--backend", "python", "--instances", 2, "--batch-delay", 0, "--device", "cpu", "--encoded-images")
    done = run("--output", tmp_path / "x.onnx", "--serve", tmp_path / "models", *serving)
    assert done.exit_code == 0, done.stderr
    model = tmp_path / "models/tiny"
    config = text_format.Parse((model / "config.pbtxt").read_text("utf-8"), schema.ModelConfig())
    assert (config.backend, config.instance_group[0].count) == ("python", 2)
    assert [port.name for port in config.input] == ["image", "encoded"]
    assert config.dynamic_batching.max_queue_delay_microseconds == 0
    assert "TritonPythonModel" in (model / "1/model.py").read_text("utf-8")


def test_bundle_alone_is_named_in_the_table(run, tmp_path):
    done = run("--output", tmp_path / "x.onnx", "--bundle", tmp_path / "edge")
    assert done.exit_code == 0, done.stderr
    assert "python run.py" in " ".join(done.stdout.split())


def test_refused_before_the_work_starts(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x", "utf-8")
    monkeypatch.setattr("export.pipeline.export_model.export", lambda *_, **__: pytest.fail("the export has started"))
    output = ("--output", tmp_path / "x.onnx")
    for given, kind, message in (
        (("--bundle", tmp_path / "file"), OutputError, "it is a file"),
        (("--bundle", tmp_path), OutputError, "one with other content stands there"),
        (("--serve-root", "/models"), ConfigurationError, "give both"),
        (("--backend", "python", "--instances", 2), ConfigurationError, "(backend, instances) without its folder"),
        (("--serve", tmp_path / "m", "--encoded-images"), ConfigurationError, "has no use for encoded_images"),
    ):
        done = run(*output, *given)
        assert isinstance(done.exception, kind), done.output
        assert message in str(done.exception)
    monkeypatch.setitem(sys.modules, "tritonclient.grpc.model_config_pb2", None)
    with pytest.raises(ExportError, match="salu-zoo"):
        raise run(*output, "--serve", tmp_path / "models").exception
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

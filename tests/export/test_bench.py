"""Files side by side: what is measured, and what is refused before anything is timed."""

import json
import shutil

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from export import ModelMismatchError, ParityError
from export.bench import contenders
from export.bench.contenders import timed_targets
from export.bench.timed_files import Contender, bench_files
from export.parity.parity_report import report_path
from export.targets import get_target, list_targets
from zoo.cli import build_app
from zoo.errors import ConfigurationError
from zoo.models import list_models
from zoo.models.build import find_spec
from zoo.weights.identity import weights_digest


@pytest.fixture
def pair(exported, tmp_path):
    """The same file under two names."""
    files = []
    for label in ("first", "second"):
        path = tmp_path / f"{label}.onnx"
        shutil.copy(exported.path, path)
        shutil.copy(report_path(exported.path), report_path(path))
        files.append(Contender(label, path, None if label == "first" else "first"))
    return files


def test_files_take_turns_under_the_same_conditions(pair):
    result = bench_files(pair, runs=7, warmup=1, threads=1)
    first, second = result.rows
    assert (first.label, second.label, first.ratio, result.threads, result.runs) == ("first", "second", 1.0, 1, 7)
    assert second.ratio == second.latency.p50_ms / first.latency.p50_ms
    for row in result.rows:
        assert 0 < row.latency.p50_ms <= row.latency.p90_ms <= row.latency.p99_ms
        assert row.size_bytes == pair[0].path.stat().st_size
        assert 20e6 < row.memory_bytes < 2e9
        assert "passed" in row.parity
    assert result.tokens is None
    assert json.loads(json.dumps(result.to_dict()))["rows"][1]["label"] == "second"


def test_nothing_is_timed_without_passed_parity(pair):
    report = report_path(pair[1].path)
    content = json.loads(report.read_text())
    content["results"][0]["problems"] = ["made up"]
    report.write_text(json.dumps(content))
    with pytest.raises(ParityError, match="its speed means nothing"):
        bench_files(pair, runs=1, warmup=0, threads=1)


def test_a_report_on_other_bytes_is_refused(pair):
    with pair[1].path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelMismatchError, match="other bytes"):
        bench_files(pair, runs=1, warmup=0, threads=1)


def test_files_of_different_inputs_are_refused(pair, text_exported):
    with pytest.raises(ConfigurationError, match="texts takes"):
        bench_files([pair[0], Contender("texts", text_exported.path)], runs=1, warmup=0, threads=1)
    with pytest.raises(ConfigurationError, match="no files to time"):
        bench_files([])


def test_a_twin_has_to_be_there_and_labels_are_single(pair):
    with pytest.raises(ConfigurationError, match="second is to be compared with first, which is not among"):
        bench_files(pair[1:], runs=1, warmup=0, threads=1)
    with pytest.raises(ConfigurationError, match="the same label"):
        bench_files([pair[0], pair[0]], runs=1, warmup=0, threads=1)


def test_only_what_runs_here_is_timed():
    here = {target.name for target in timed_targets()}
    assert {"portable", "edge_cpu"} <= here
    for target in map(get_target, list_targets()):
        if target.name not in here:
            with pytest.raises(ConfigurationError, match=f"{target.name} cannot be timed here: not run"):
                timed_targets([target.name])


def test_texts_have_a_length(text_exported):
    result = bench_files([Contender("texts", text_exported.path)], tokens=9, runs=2, warmup=0, threads=1)
    assert result.tokens == 9


def test_every_model_has_a_twin():
    for name in list_models():
        assert "act" in find_spec(name).twin
    assert find_spec("salunet_c50").twin == {"norm": "batchnorm", "act": "relu"}


def test_an_untrained_network_and_its_twin_have_the_same_weights_each_time(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(contenders, "export", lambda network, *_, **__: seen.append(weights_digest(network)))
    for _ in range(2):
        torch.rand(1)
        contenders.export_contenders("fles_poolformer_cifar", [get_target("portable")], {}, tmp_path)
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]


@pytest.mark.slow
def test_the_command_exports_both_and_compares(tmp_path):
    arguments = ["bench", "fles_poolformer_cifar", "--target", "portable", "--runs", "2", "--threads", "1"]
    files = ["--output", str(tmp_path / "r.json"), "--plot", str(tmp_path / "r.png"), "--keep", str(tmp_path / "kept")]
    done = CliRunner().invoke(build_app(), [*arguments, *files])
    assert done.exit_code == 0, done.output
    stored = json.loads((tmp_path / "r.json").read_text())
    assert [row["label"] for row in stored["rows"]] == ["gelu, portable", "fles_poolformer_cifar, portable"]
    assert [row["twin"] for row in stored["rows"]] == [None, "gelu, portable"]
    assert f"{stored['rows'][1]['ratio']:.2f}" in done.output
    assert sorted(path.name for path in (tmp_path / "kept").glob("*.onnx")) == [
        "fles_poolformer_cifar.portable.onnx",
        "gelu.portable.onnx",
    ]
    with Image.open(tmp_path / "r.png") as picture:
        assert picture.format == "PNG"

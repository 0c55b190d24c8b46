"""Finished runs grouped by what differs in their recipes, with mean and standard deviation over the seeds."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zoo.cli import build_app
from zoo.errors import ConfigurationError, WeightsCorruptError, WeightsNotFoundError
from zoo.evaluation.run_comparison import compare_runs

TEXT = {
    "recipe": {
        "description": "words",
        "data": {"task": "mrpc"},
        "model": {"act": "fles", "start": "/somewhere/deep/encoder/model"},
        "optimizer": {"lr": 5e-5},
        "runtime": {"seed": 0, "eval_every": 1},
    },
    "metrics": ["accuracy", "f1"],
    "results": {"loss": 0.5, "accuracy": 0.80, "f1": 0.86},
    "seconds": 12.3,
    "finished": "2026-11-22T08:50:29+00:00",
    "device": "cpu",
    "versions": {"torch": "2.15.0"},
}
IMAGE = {
    "recipe": {"model": {"act": "fles"}, "runtime": {"seed": 3}},
    "weights": "ema",
    "results": {"val_top1": 70.0, "val_top1_ema": 71.5},
    "wall_clock_s": 90.2,
    "finished": "2026-11-22T08:50:29+00:00",
    "environment": {"device": "cpu", "versions": {"torch": "2.15.0"}},
}


def write(folder: Path, summary: dict, changes: dict | None = None, **results: float) -> Path:
    """A run's folder; `changes` are recipe fields by dotted name."""
    summary = deepcopy(summary)
    summary["results"] |= results
    for name, value in (changes or {}).items():
        table, key = name.split(".")
        summary["recipe"][table][key] = value
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    """Three seeds of fles, one of gelu; written with other paths and other habits of looking at itself."""
    fles = [
        write(tmp_path / f"fles_{seed}", TEXT, {"runtime.seed": seed, "runtime.eval_every": seed}, accuracy=score)
        for seed, score in ((2, 0.9), (0, 0.8), (1, 0.7))
    ]
    other = {"model.act": "gelu", "model.start": "/elsewhere/encoder/model"}
    return [*fles, write(tmp_path / "gelu", TEXT, other)]


def test_seeds_are_grouped(runs):
    found = compare_runs(runs)
    assert found.varied == ("model.act",)
    assert found.fixed["model.start"] == "local: encoder/model"
    assert found.fixed["optimizer.lr"] == 5e-5
    fles, gelu = found.groups
    assert fles.values == {"model.act": "fles"}
    assert [run.seed for run in fles.runs] == [0, 1, 2]
    assert fles.mean == {"accuracy": pytest.approx(80), "f1": pytest.approx(86)}
    assert fles.std == {"accuracy": pytest.approx(10), "f1": pytest.approx(0)}
    assert (gelu.mean["accuracy"], gelu.std["accuracy"]) == (pytest.approx(80), None)


def test_a_field_only_one_run_has_tells_it_apart(runs, tmp_path):
    with_more = write(tmp_path / "more", TEXT, {"optimizer.extra": 1})
    found = compare_runs([*runs, with_more])
    assert found.varied == ("model.act", "optimizer.extra")
    assert [group.values["optimizer.extra"] for group in found.groups] == [None, None, 1]


def test_image_runs_count_the_weights_they_kept(tmp_path):
    (group,) = compare_runs([write(tmp_path / "run", IMAGE)]).groups
    assert group.mean == {"top1": 71.5}
    assert (group.values, group.runs[0].seconds) == ({}, 90)
    raw = write(tmp_path / "raw", IMAGE | {"weights": "raw"})
    assert compare_runs([raw]).groups[0].mean == {"top1": 70.0}


def test_the_same_run_twice_is_refused(runs):
    with pytest.raises(ConfigurationError, match=r"model\.act fles: seed 2 was given more than once"):
        compare_runs([*runs, runs[0]])


def test_no_run_is_refused():
    with pytest.raises(ConfigurationError, match="no runs to compare"):
        compare_runs([])


def test_a_folder_that_is_no_finished_run_is_refused(runs, tmp_path):
    with pytest.raises(WeightsNotFoundError, match="not the folder of a finished run"):
        compare_runs([*runs, tmp_path])
    (runs[0] / "summary.json").write_text("{")
    with pytest.raises(WeightsCorruptError):
        compare_runs(runs)


@pytest.mark.parametrize("missing", ["recipe", "results", "finished", "versions"])
def test_a_summary_of_another_form_is_refused(tmp_path, missing):
    folder = write(tmp_path / "run", TEXT)
    kept = {key: value for key, value in TEXT.items() if key != missing}
    (folder / "summary.json").write_text(json.dumps(kept))
    with pytest.raises(ConfigurationError, match=f"{missing}' is missing"):
        compare_runs([folder])


def test_the_command_prints_and_writes_the_same(runs, tmp_path):
    file = tmp_path / "found.json"
    arguments = ["compare", *map(str, runs), "--output", str(file)]
    shown = CliRunner().invoke(build_app(), arguments)
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    assert ["group", "1", "group", "2"] in lines
    assert [line for line in lines if line[:1] in (["model.act"], ["runs"], ["accuracy"])] == [
        ["model.act", "fles", "gelu"],
        ["runs", "3", "1"],
        ["accuracy", "%", "80.00", "±", "10.00", "80.00"],
    ]
    printed = CliRunner().invoke(build_app(), [*arguments, "--json"])
    stored = json.loads(file.read_text())
    assert json.loads(printed.stdout) == stored == compare_runs(runs).to_dict()
    assert [run["seed"] for run in stored["groups"][0]["runs"]] == [0, 1, 2]
    assert str(tmp_path) not in file.read_text()

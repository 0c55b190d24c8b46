"""A run that was cut off goes on as if nothing had happened; what is not that run is refused."""

import json

import pytest
import torch
from transformers import Trainer

from zoo.errors import OutputError, RecipeError
from zoo.training.texts import resume_finetuning

from .conftest import write_glue
from .test_run import run

# Dropout draws random numbers at every step, so the state of the generators matters.
DROPOUT = ("model.args.hidden_dropout_prob=0.2", "model.args.attention_probs_dropout_prob=0.2")
SHORT = ("data.subset=32",)
"""Two steps in each of three epochs."""


class Killed(BaseException):
    """No handler of errors catches it, as none catches a kill."""


def kill(monkeypatch, name, call):
    """Let the Trainer's method `name` do its work and then end the run, at its call number `call`."""
    inner, calls = getattr(Trainer, name), []

    def killed(self, *args, **kwargs):
        result = inner(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return result

    monkeypatch.setattr(Trainer, name, killed)


def cut(monkeypatch, name, call, *args):
    with monkeypatch.context() as patched:
        kill(patched, name, call)
        with pytest.raises(Killed):
            run(*args)


def names(folder, pattern="checkpoint-*"):
    return sorted(path.name for path in folder.glob(pattern))


def assert_same(one, other):
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


@pytest.mark.parametrize(
    ("method", "call", "left", "grouped"),
    [
        ("training_step", 4, ["checkpoint-2"], "true"),  # in the middle of an epoch
        pytest.param("training_step", 4, ["checkpoint-2"], "false", marks=pytest.mark.slow),
        ("save_model", 2, ["checkpoint-2", "checkpoint-4"], "true"),  # between two files of a checkpoint
        # Before it is marked.
        pytest.param("_save_checkpoint", 2, ["checkpoint-2", "checkpoint-4"], "true", marks=pytest.mark.slow),
        ("evaluate", 1, ["checkpoint-6"], "true"),  # after all training
    ],
)
def test_it_equals_an_uninterrupted_run(recipe_file, glue, tmp_path, monkeypatch, method, call, left, grouped):
    overrides = (*SHORT, *DROPOUT, f"runtime.group_by_length={grouped}")
    whole = run(recipe_file, glue, tmp_path / "whole", *overrides)
    cut(monkeypatch, method, call, recipe_file, glue, tmp_path / "cut", *overrides)
    assert names(tmp_path / "cut") == left
    with pytest.raises(OutputError, match=r"already holds a run \(recipe.json"):
        run(recipe_file, glue, tmp_path / "cut", *overrides)
    resumed = run(recipe_file, glue, tmp_path / "cut", *overrides, resume=True)
    assert_same(whole, resumed)
    assert whole.summary["results"]["loss"] == resumed.summary["results"]["loss"]
    assert names(tmp_path / "cut") == []


def test_time_before_the_kill_counts(recipe_file, glue, tmp_path, monkeypatch):
    cut(monkeypatch, "evaluate", 1, recipe_file, glue, tmp_path / "cut", *SHORT)
    mark = tmp_path / "cut/checkpoint-6" / resume_finetuning.MARK
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"seconds": 1000.0}))
    assert run(recipe_file, glue, tmp_path / "cut", *SHORT, resume=True).summary["seconds"] > 1000


def test_without_a_whole_checkpoint_it_starts_again(recipe_file, glue, tmp_path, monkeypatch, capsys):
    whole = run(recipe_file, glue, tmp_path / "whole", *SHORT)
    cut(monkeypatch, "save_model", 1, recipe_file, glue, tmp_path / "cut", *SHORT)
    (tmp_path / "cut/.saving.abc").mkdir()
    resumed = run(recipe_file, glue, tmp_path / "cut", *SHORT, resume=True, show_progress=True)
    assert_same(whole, resumed)
    assert "No checkpoint in" in capsys.readouterr().err
    assert names(tmp_path / "cut", ".saving*") == []


def test_another_recipe_or_other_data_are_refused(recipe_file, glue, tmp_path, monkeypatch):
    cut(monkeypatch, "_save_checkpoint", 2, recipe_file, glue, tmp_path / "cut", *SHORT)
    with pytest.raises(RecipeError, match=r"optimizer.lr: 0.003 -> 0.1\n  runtime.seed: 0 -> 5"):
        run(recipe_file, glue, tmp_path / "cut", *SHORT, "optimizer.lr=0.1", "runtime.seed=5", resume=True)
    other = write_glue(tmp_path / "other", word="fine")
    with pytest.raises(RecipeError, match=r"belongs to another run:\n  data.evaluation.digest"):
        run(recipe_file, other, tmp_path / "cut", *SHORT, resume=True)
    assert names(tmp_path / "cut") == ["checkpoint-2", "checkpoint-4"]


def test_a_folder_that_holds_something_else_stays_as_it_is(recipe_file, glue, tmp_path):
    run(recipe_file, glue, tmp_path / "run", *SHORT, "schedule.epochs=1")
    before = (tmp_path / "run/summary.json").read_text()
    with pytest.raises(OutputError, match="finished run: nothing is left to resume"):
        run(recipe_file, glue, tmp_path / "run", *SHORT, resume=True)
    assert (tmp_path / "run/summary.json").read_text() == before
    foreign = tmp_path / "foreign/checkpoint-7"
    foreign.mkdir(parents=True)
    with pytest.raises(OutputError, match=r"already holds a run \(checkpoint-7\)"):
        run(recipe_file, glue, foreign.parent)
    with pytest.raises(OutputError, match=r"holds checkpoint-7 but no recipe.json"):
        run(recipe_file, glue, foreign.parent, resume=True)
    assert foreign.is_dir()

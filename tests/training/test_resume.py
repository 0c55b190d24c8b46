import copy
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from zoo.activations import SALU, SWALU
from zoo.errors import OutputError, RecipeError, WeightsCorruptError, WeightsMismatchError
from zoo.training import train
from zoo.training.images.checkpoint import load_checkpoint, pack_optimizer, save_checkpoint, unpack_optimizer
from zoo.training.images.log import append_row, read_rows, rewind
from zoo.training.images.optimise import build_optimizer
from zoo.training.recipe import OptimizerRecipe

from .tiny import tiny_recipe, write_data

# Runs until the given step of the second epoch and dies there without warning, one step after its checkpoint.
KILLED = """
import os, signal, sys
from training.tiny import tiny_model, tiny_recipe
from zoo.training import train

def die(progress):
    if (progress.epoch, progress.step) == (1, 4):
        os.kill(os.getpid(), signal.SIGKILL)

data, output, *overrides = sys.argv[1:]
with tiny_model():
    train(tiny_recipe(*overrides), data=data, output=output, device="cpu", show_progress=False, on_step=die)
"""
TESTS = Path(__file__).resolve().parent.parent


def run(recipe, data, folder, **options):
    return train(recipe, data=data, output=folder, device="cpu", show_progress=False, **options)


def test_resumed_run_equals_an_uninterrupted_one(tiny_data, tmp_path):
    # Muon keeps every kind of state: momentum, AdamW's two moments, step counters, flags.
    overrides = ["optimizer.name=muon", "schedule.epochs=3", "runtime.checkpoint_steps=3", "runtime.channels_last=true",
                 "regularisation.mixup=0.2"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tiny_data), str(tmp_path / "killed"), *overrides],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(read_rows(tmp_path / "killed/log.jsonl")) == 1
    steps = []
    recipe = tiny_recipe(*overrides)
    resumed = run(
        recipe, tiny_data, tmp_path / "killed", resume=True, on_step=lambda p: steps.append((p.epoch, p.step))
    )
    assert steps[0] == (1, 4)
    whole = run(recipe, tiny_data, tmp_path / "whole")
    first, second = load_file(resumed.weights), load_file(whole.weights)
    assert all(torch.equal(first[key], second[key]) for key in first.keys() | second.keys())
    timing = {"seconds", "images_per_s"}
    logs = [
        [{k: v for k, v in row.items() if k not in timing} for row in read_rows(tmp_path / folder / "log.jsonl")]
        for folder in ("killed", "whole")
    ]
    assert logs[0] == logs[1]
    assert [row["epoch"] for row in logs[0]] == [1, 2, 3]


@pytest.mark.parametrize("name", ["adamw", "muon", "nadamw", "lion", "sgd"])
def test_a_checkpoint_whose_scalars_have_no_axis(name):
    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.linspace(-1, 1, 6).view(2, 3)).square().sum().backward()
        optimizer.step()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), SALU(), SWALU())
    optimizer = build_optimizer(model, OptimizerRecipe(name=name, lr=0.1))
    step(model, optimizer)
    tensors, values = pack_optimizer(optimizer)
    old = {key: value.clone() if key.endswith(".step") else value.squeeze() for key, value in tensors.items()}
    assert name == "sgd" or sum(value.ndim == 0 for value in old.values()) >= 4
    twin = copy.deepcopy(model)
    resumed = build_optimizer(twin, OptimizerRecipe(name=name, lr=0.1))
    unpack_optimizer(resumed, old, values)
    for net, of in ((model, optimizer), (twin, resumed)):
        step(net, of)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))


def test_resuming_a_finished_run_trains_no_more(tiny_data, tmp_path):
    first = run(tiny_recipe(), tiny_data, tmp_path / "run")
    before = first.weights.read_bytes()
    steps = []
    again = run(tiny_recipe(), tiny_data, tmp_path / "run", resume=True, on_step=steps.append)
    assert steps == []
    assert again.weights.read_bytes() == before
    assert again.summary["results"] == first.summary["results"]


def test_the_log_of_an_epoch_stopped_behind_its_last_step_names_that_step_s_rate(tiny_data, tmp_path):
    class StoppedError(Exception):
        pass

    recipe = tiny_recipe("schedule.epochs=2", "schedule.kind=linear")
    whole = read_rows(run(recipe, tiny_data, tmp_path / "whole").output / "log.jsonl")
    steps = whole[0]["step"]
    recipe = tiny_recipe("schedule.epochs=2", "schedule.kind=linear", f"runtime.checkpoint_steps={steps}")

    def stop(progress):
        if (progress.epoch, progress.step) == (1, steps):
            raise StoppedError

    with pytest.raises(StoppedError):
        run(recipe, tiny_data, tmp_path / "run", on_step=stop)
    run(recipe, tiny_data, tmp_path / "run", resume=True)
    found = read_rows(tmp_path / "run/log.jsonl")
    assert [row["lr"] for row in found] == [row["lr"] for row in whole]
    assert min(row["lr"] for row in found) > 0


def test_resume_without_checkpoint_starts_at_the_beginning(tiny_data, tmp_path):
    result = run(tiny_recipe("schedule.epochs=1"), tiny_data, tmp_path / "run", resume=True)
    assert result.summary["results"]["epoch"] == 1


def test_another_recipe_cannot_take_over(tiny_data, tmp_path):
    run(tiny_recipe(), tiny_data, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"optimizer\.lr: 0\.05 -> 0\.01"):
        run(tiny_recipe("optimizer.lr=0.01"), tiny_data, tmp_path / "run", resume=True)
    words = ["description=said anew", "source=told anew"]
    free = tiny_recipe("runtime.workers=0", "runtime.checkpoint_minutes=5", *words)
    run(free, tiny_data, tmp_path / "run", resume=True)


def test_another_number_of_processes_cannot_take_over(tiny_data, tmp_path):
    run(tiny_recipe(), tiny_data, tmp_path / "run")
    path = tmp_path / "run/checkpoint.safetensors"
    tensors, state = load_checkpoint(path)
    save_checkpoint(path, tensors, {**state, "processes": 2})
    with pytest.raises(RecipeError, match="processes: 2 -> 1"):
        run(tiny_recipe(), tiny_data, tmp_path / "run", resume=True)


def test_other_data_cannot_take_over_but_a_copy_can(tiny_data, tmp_path):
    run(tiny_recipe(), tiny_data, tmp_path / "run")
    other = write_data(tmp_path / "other", train=45)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(RecipeError, match=r"data\.train\.images: 44 -> 45"):
        run(tiny_recipe(), other, tmp_path / "run", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    run(tiny_recipe(), shutil.copytree(tiny_data, tmp_path / "copy"), tmp_path / "run", resume=True)


def test_checkpoint_of_another_format_is_named(tiny_data, tmp_path):
    save_file({"a": torch.zeros(9)}, tmp_path / "checkpoint.safetensors", metadata={"state": '{"format": 1}'})
    with pytest.raises(WeightsMismatchError, match="checkpoint format 1, this version reads"):
        run(tiny_recipe(), tiny_data, tmp_path, resume=True)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, {"a": torch.ones(9)}, {"step": 1})
    before = path.read_bytes()

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"checkpoint\.safetensors: No space left"):
        save_checkpoint(path, {"a": torch.zeros(9)}, {"step": 2})
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize("there", [[], ["notes.txt"], None])
def test_a_disk_full_before_the_first_checkpoint_leaves_no_run(there, tiny_data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    if there is not None:
        folder.mkdir()
        [(folder / name).write_text("mine") for name in there]

    def full(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"checkpoint\.safetensors: No space left.*Make room there"):
            run(tiny_recipe(), tiny_data, folder)
    assert folder.exists() == (there is not None)
    assert [path.name for path in folder.glob("*")] == (there or [])
    run(tiny_recipe(), tiny_data, folder)
    assert (folder / "summary.json").is_file()


def test_a_disk_full_later_leaves_the_run(tiny_data, tmp_path, monkeypatch):
    whole = Path.write_bytes

    def full(self, content):
        if (tmp_path / "run/checkpoint.safetensors").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(self, content)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="Make room there"):
            run(tiny_recipe(), tiny_data, tmp_path / "run")
    assert len(run(tiny_recipe(), tiny_data, tmp_path / "run", resume=True).summary["results"]) > 3


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_unusable_checkpoint_is_named(damage, tiny_data, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"a": torch.zeros(9)}, path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(WeightsCorruptError, match=r"checkpoint\.safetensors"):
        run(tiny_recipe(), tiny_data, tmp_path, resume=True)


def test_log_forgets_what_will_be_written_again(tmp_path):
    path = tmp_path / "log.jsonl"
    for epoch in (1, 2, 3):
        append_row(path, {"epoch": epoch})
    with path.open("a") as file:
        file.write('{"epoch": 4, "tr')
    assert [row["epoch"] for row in read_rows(path)] == [1, 2, 3]
    rewind(path, 2)
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [1, 2]

"""Two processes share each batch, and the first of them alone writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zoo.training.texts.finetune_texts import finetune_texts as finetune
from zoo.training.texts.finetuning_recipe import load_finetune_recipe

SCRIPT = """
import sys
from finetuning.conftest import SIZES
from zoo.devices import leave_processes
from zoo.training.texts.finetune_texts import finetune_texts as finetune
from zoo.training.texts.finetuning_recipe import load_finetune_recipe
from zoo.models.text_models import TEXT_MODELS, TextSpec

TEXT_MODELS.add("fles_tiny", TextSpec(name="fles_tiny", config=SIZES, description="tiny", source="test"))
recipe, data, output, *overrides = sys.argv[1:]
result = finetune(load_finetune_recipe(recipe, overrides), data=data, output=output, device="cpu", show_progress=False)
leave_processes()
print(f"main={result.main} processes={result.summary['processes']} {result.summary['results']['accuracy']}")
"""
TESTS = Path(__file__).resolve().parent.parent
# One batch of all texts: the same gradient however the processes share it.
OVERRIDES = ("runtime.batch_size=128", "schedule.epochs=1", "schedule.warmup=0", "optimizer.lr=0.01")


@pytest.mark.slow
def test_two_processes_train_the_same_model(recipe_file, glue, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, script, recipe_file, glue, tmp_path / "two", *OVERRIDES],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = sorted(done.stdout.split("\n"))
    alone = finetune(
        load_finetune_recipe(recipe_file, OVERRIDES), data=glue, output=tmp_path / "one", device="cpu",
        show_progress=False,
    )  # fmt: skip
    accuracy = alone.summary["results"]["accuracy"]
    assert [line for line in lines if line] == [f"main={main} processes=2 {accuracy}" for main in (False, True)]
    assert json.loads((tmp_path / "two/summary.json").read_text())["processes"] == 2
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(p.name for p in (tmp_path / "one").iterdir())
    both = load_file(tmp_path / "two/model.safetensors")
    for name, value in load_file(tmp_path / "one/model.safetensors").items():
        # Adam moves a number by the learning rate whatever its gradient, unless that is near 1e-8: there a factor on
        # the gradient would show as some 1e-3.
        torch.testing.assert_close(both[name], value, rtol=0, atol=2e-4, msg=lambda text, name=name: f"{name}: {text}")

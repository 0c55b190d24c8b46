import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zoo.training import train

from .tiny import tiny_recipe

SCRIPT = """
import sys
from training.tiny import tiny_model, tiny_recipe
from zoo.training import train

data, output, *overrides = sys.argv[1:]
with tiny_model():
    result = train(tiny_recipe(*overrides), data=data, output=output, device="cpu", show_progress=False)
assert result.weights.exists()
"""
TESTS = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_two_processes_train_the_same_model(tiny_data, tmp_path):
    still = ["augmentation.cutout=0", "augmentation.crop=none", "augmentation.flip=0", "model.args={}",
             "runtime.accumulation=2"]  # fmt: skip
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1"]
    launch += [
        "--mixed_precision=no",
        "--dynamo_backend=no",
        "--num_cpu_threads_per_process=1",
        "--main_process_port=0",
    ]
    done = subprocess.run(
        [*launch, str(script), str(tiny_data), str(tmp_path / "two"), *still],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    alone = train(tiny_recipe(*still), data=tiny_data, output=tmp_path / "one", device="cpu", show_progress=False)
    both = load_file(tmp_path / "two/model.safetensors")
    for name, value in load_file(alone.weights).items():
        torch.testing.assert_close(value, both[name], rtol=1e-3, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_gpu_run_learns(precision, tiny_data, tmp_path):
    recipe = tiny_recipe(
        f"runtime.precision={precision}", "runtime.channels_last=true", "schedule.epochs=12", "augmentation.cutout=0",
        "model.args={}", "regularisation.mixup=0.2", "augmentation.random_erasing=0.1",
    )  # fmt: skip
    result = train(recipe, data=tiny_data, output=tmp_path / "run", device="cuda", show_progress=False)
    assert result.summary["results"]["val_top1"] > 50
    again = train(recipe, data=tiny_data, output=tmp_path / "run", device="cuda", resume=True, show_progress=False)
    assert again.summary["results"] == result.summary["results"]

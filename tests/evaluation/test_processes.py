import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_images import Linear, write_cifar10

from zoo.evaluation import evaluate

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("error")
from torch import distributed
from tiny_images import Linear
from zoo.evaluation import evaluate
result = evaluate(Linear(), "cifar10", data=sys.argv[1], batch_size=16, device="cpu")
with open(f"{sys.argv[2]}/{distributed.get_rank()}.json", "w") as file:
    json.dump(result.to_dict(), file)
distributed.destroy_process_group()
"""


def test_two_processes_agree_to_the_sample(tmp_path):
    """45 images in batches of 16: process 0 gets 16 + 13, process 1 gets 16; nothing is padded or repeated."""
    data, script = write_cifar10(tmp_path / "data", 45), tmp_path / "run.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[2]
    env = os.environ | {
        "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, script, data, tmp_path], env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = evaluate(Linear(), "cifar10", data=data, batch_size=16, device="cpu").to_dict()
    finally:
        torch.set_num_threads(threads)
    for name in ("n", "correct1", "correct5", "top1", "top5", "preprocess", "source"):
        assert first[name] == second[name] == alone[name]
    # Same batches, one rounding of the float64 sum: equal but for what a CPU may reorder within a batch.
    assert first["loss"] == second["loss"] == pytest.approx(alone["loss"], abs=1e-9)
    assert first["images_per_process"] == [29, 16]
    assert alone["images_per_process"] == [45]

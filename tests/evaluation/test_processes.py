import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_images import Linear, write_cifar10
from tiny_texts import NAME, SPEC, make_model, preprocess, write_sst2

from zoo.evaluation import evaluate, evaluate_text
from zoo.models.text_models import TEXT_MODELS

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("error")
from torch import distributed
from tiny_images import Linear
from tiny_texts import NAME, SPEC, make_model, preprocess
from zoo.evaluation import evaluate, evaluate_text
from zoo.models.text_models import TEXT_MODELS
TEXT_MODELS.add(NAME, SPEC)
result = evaluate(Linear(), "cifar10", data=sys.argv[1], batch_size=16, device="cpu")
text = evaluate_text(make_model(), "sst2", data=sys.argv[1], batch_size=16, device="cpu", preprocess=preprocess())
with open(f"{sys.argv[2]}/{distributed.get_rank()}.json", "w") as file:
    json.dump([result.to_dict(), text.to_dict()], file)
distributed.destroy_process_group()
"""


def test_two_processes_agree_to_the_sample(tmp_path, monkeypatch):
    """45 samples in batches of 16: process 0 gets 16 + 13, process 1 gets 16; nothing is padded or repeated."""
    monkeypatch.setitem(TEXT_MODELS._items, NAME, SPEC)
    data, script = write_sst2(write_cifar10(tmp_path / "data", 45), 45), tmp_path / "run.py"
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
    (first, first_text), (second, second_text) = (
        json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        options = {"data": data, "batch_size": 16, "device": "cpu"}
        alone = evaluate(Linear(), "cifar10", **options).to_dict()
        alone_text = evaluate_text(make_model(), "sst2", preprocess=preprocess(), **options).to_dict()
    finally:
        torch.set_num_threads(threads)
    for name in ("n", "correct1", "correct5", "top1", "top5", "preprocess", "source"):
        assert first[name] == second[name] == alone[name]
    for name in ("n", "correct", "metrics", "preprocess", "source"):
        assert first_text[name] == second_text[name] == alone_text[name]
    # Same batches, one rounding of the float64 sum: equal but for what a CPU may reorder within a batch.
    assert first["loss"] == second["loss"] == pytest.approx(alone["loss"], abs=1e-9)
    assert first_text["loss"] == second_text["loss"] == pytest.approx(alone_text["loss"], abs=1e-9)
    assert first["images_per_process"] == first_text["texts_per_process"] == [29, 16]
    assert alone["images_per_process"] == alone_text["texts_per_process"] == [45]

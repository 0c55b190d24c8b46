"""The tiny model's name, its tag, results to show, and the Hub's cache laid out by hand."""

from pathlib import Path

import tiny_texts
import torch

from zoo.data.preprocess import Preprocess
from zoo.models import build_model
from zoo.weights.tag import PretrainedTag

MODEL = "tiny_t"
NAME = "tiny_t.pets"
LABELS = ("cat", "dog", "owl")
REPO = "org/pets"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

RESULTS = {
    "evaluations": [
        {
            "dataset": "cifar10",
            "split": "test",
            "top1": 85.0,
            "top5": 99.8,
            "correct1": 8500,
            "loss": 0.21,
            "n": 10000,
            "classes": {
                "images": [3300, 3500, 3200],
                "correct": [2400, 3100, 3000],
                "confused": [[0, 2, 600], [1, 2, 400], [0, 1, 300], [2, 0, 200]],
            },
            "runtime": {"kind": "torch"},
            "preprocess": {"input_size": [3, 32, 32], "crop_pct": 1.0},
            "versions": {"torch": "2.6.0"},
            "command": "zoo evaluate tiny_t.pets --dataset cifar10",
        }
    ],
    "training": {
        "command": "zoo train short --set model.act=galu",
        "epochs": 2,
        "seconds": 60,
        "device": "cpu (x86_64 AVX512, 1 threads)",
        "threads": 1,
        "recipe": {"data": {"batch_size": 512}, "optimizer": {"lr": 0.3}},
        "log": [
            {"epoch": 1, "train_loss": 2.0, "val_top1": 30.0, "val_top1_ema": 12.0},
            {"epoch": 2, "train_loss": 1.5, "val_top1": 45.0, "val_top1_ema": 44.0},
        ],
    },
    "comparisons": [
        {
            "label": "BN + ReLU",
            "top1": 95.0,
            "top5": None,
            "note": "the same recipe",
            "command": "zoo train short --set model.norm=batchnorm",
            "recipe_changes": {"model.norm": "batchnorm"},
            "log": [{"epoch": 1, "train_loss": 2.1, "val_top1": 33.0}, {"epoch": 2, "train_loss": 1.4}],
        }
    ],
    "notes": ["Trained on images with JPEG artefacts."],
}


TEXT_NAME = f"{tiny_texts.NAME}.sst2"
TEXT_RESULTS = {
    "evaluations": [
        {
            "dataset": "sst2",
            "split": "validation",
            "metrics": {"accuracy": 0.9106},
            "correct": 794,
            "loss": 0.25,
            "n": 872,
            "runtime": {"kind": kind},
            "preprocess": {"kind": "text", "max_length": 16},
            "source": {"kind": "parquet", "folder": "glue"},
        }
        for kind in ("torch", "onnx")
    ],
    "comparisons": [{"label": "GELU", "metrics": {"accuracy": 0.9}, "note": "the same recipe"}],
    "notes": ["One seed of three."],
}
SUMMARY = {
    "recipe_name": "glue",
    "recipe": {
        "data": {"task": "sst2", "max_length": 12},
        "model": {"name": "tiny_bert", "start": "org/encoder"},
        "schedule": {"epochs": 2},
    },
    "texts": {"train": 64, "evaluation": 12},
    "results": {"accuracy": 0.5, "loss": 0.7},
    "seconds": 12.3,
    "versions": {"torch": "2.9"},
    "log": [
        {"loss": 0.9, "learning_rate": 1e-5, "epoch": 0.5, "step": 5},
        {"loss": 0.8, "epoch": 1.0, "step": 10},
        {"eval_accuracy": 0.5, "eval_loss": 0.7, "eval_runtime": 1.0, "epoch": 1.0, "step": 10},
    ],
}


def make_text_tag(**fields) -> PretrainedTag:
    values = {"model": tiny_texts.NAME, "tag": "sst2", "num_classes": 2, "labels": tiny_texts.LABELS, "dataset": "sst2"}
    return PretrainedTag(**{**values, "license": "mit", "preprocess": tiny_texts.preprocess().pinned, **fields})


def make_tag(**fields) -> PretrainedTag:
    values = {"model": MODEL, "tag": "pets", "num_classes": 3, "labels": LABELS, "license": "mit"}
    return PretrainedTag(**{**values, "preprocess": Preprocess.of(build_model(MODEL)), **fields})


def put_in_cache(cache: Path, repo: str, commit: str, folder: Path, branch: str | None = None) -> Path:
    """Lay out `folder` as huggingface_hub's cache would hold it after a download."""
    place = cache / f"models--{repo.replace('/', '--')}"
    snapshot = place / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    if branch:
        (place / "refs").mkdir()
        (place / "refs" / branch).write_text(commit)
    return snapshot


def train(model):
    """One step on noise."""
    batch = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model(batch).square().mean().backward()
    optimizer.step()
    return model

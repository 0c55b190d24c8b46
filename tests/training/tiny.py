"""A network, a data set and a recipe small enough to train in a second; usable from another process too."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from timm.models.resnet import BasicBlock, ResNet

from zoo.models import MODELS
from zoo.training import Recipe, load_recipe

MODEL = "tiny_for_training_tests"
TEXT = f"""
description = "for tests"
source = "ours"

[data]
dataset = "cifar10"
batch_size = 8
loader = "tensor"

[model]
name = "{MODEL}"
args = {{ drop_rate = 0.2 }}

[optimizer]
name = "sgd"
lr = 0.05
weight_decay = 5e-4
clip_norm = 1.0
clip_scope = "weights"

[schedule]
epochs = 2
kind = "linear"
warmup_epochs = 0.5
resolution = [[1, 16]]

[augmentation]
padding_mode = "reflect"
cutout = 8

[regularisation]
ema_decay = 0.9
weights = "ema"

[runtime]
eval_batch_size = 16
"""


def tiny_recipe(*overrides: str) -> Recipe:
    """A recipe for the tiny network: 2 epochs of 5 steps on `write_data`'s images."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiny.toml"
        file.write_text(TEXT)
        return load_recipe(file, overrides)


def _build(spec, parts, options):
    placed = {"norm_layer": parts.norm, "act_layer": parts.gate, **parts.placement, **options}
    # No width below 8: on AVX2 PyTorch 2.15 corrupts memory in strided 1x1 convolutions of 4 channels, channels last.
    return ResNet(block=BasicBlock, layers=(1, 1, 1, 1), channels=(8, 8, 8, 8), **placed)


@contextmanager
def tiny_model() -> Iterator[None]:
    """Make the tiny network known by name while the block runs."""
    MODELS.add(MODEL, replace(MODELS.get("salunet_c18_cifar"), name=MODEL, build=_build))
    try:
        yield
    finally:
        MODELS._items.pop(MODEL)


def write_data(folder: Path, train: int = 44, test: int = 21) -> Path:
    """A folder laid out as CIFAR-10 on the Hub; each class is a colour with noise, so it can be learned."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (10, 3))
    (folder / "plain_text").mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        labels = [i % 10 for i in range(count)]
        images = []
        for label in labels:
            pixels = np.clip(colours[label] + rng.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            images.append({"bytes": file.getvalue(), "path": None})
        table = pa.table({"img": images, "label": labels})
        pq.write_table(table, folder / "plain_text" / f"{split}-00000-of-00001.parquet")
    return folder

"""Tiny image datasets and models, made on the spot, for the tests of data, evaluation and whoever needs them."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from zoo.data.preprocess import Preprocess

PREPROCESS = Preprocess((3, 8, 8), "bicubic", 1.0, "center", (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def make_images(count: int, classes: int, size: int = 8, seed: int = 0) -> list[tuple[Image.Image, int]]:
    """Noise whose labels go round."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return [(Image.fromarray(p), i % classes) for i, p in enumerate(pixels)]


def write_parquet(file: Path, rows: list[tuple[Image.Image, int]], names: tuple[str, ...] = CIFAR10_NAMES,
                  columns: tuple[str, str] = ("img", "label")) -> Path:  # fmt: skip
    """A parquet file with the features the Hub's files carry."""
    import datasets

    def png(image: Image.Image) -> dict:
        stream = io.BytesIO()
        image.save(stream, "PNG")
        return {"bytes": stream.getvalue(), "path": None}

    features = datasets.Features({columns[0]: datasets.Image(), columns[1]: datasets.ClassLabel(names=list(names))})
    values = {columns[0]: [png(image) for image, _ in rows], columns[1]: [label for _, label in rows]}
    file.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(values, features=features).to_parquet(str(file))
    return file


def write_cifar10(folder: Path, count: int = 50, size: int = 8, **options) -> Path:
    """A folder with the layout of uoft-cs/cifar10, test split only."""
    rows = make_images(count, 10, size)
    write_parquet(folder / "plain_text" / "test-00000-of-00001.parquet", rows, **options)
    return folder


def write_folders(root: Path, names: tuple[str, ...], per_class: int = 2) -> Path:
    """One folder of PNG files per class."""
    for k, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i, (image, _) in enumerate(make_images(per_class, 1, seed=k)):
            image.save(root / name / f"{i}.png")
    return root


class Linear(nn.Module):
    """The smallest image classifier, with fixed weights and a pretrained_cfg."""

    def __init__(self, classes: int = 10, preprocess: Preprocess = PREPROCESS, labels: tuple[str, ...] = ()) -> None:
        super().__init__()
        channels, height, width = preprocess.input_size
        self.head = nn.Linear(channels * height * width, classes)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(self.head.weight.shape, generator=generator))
            self.head.bias.zero_()
        self.pretrained_cfg = preprocess.to_dict() | {"label_names": labels}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1))

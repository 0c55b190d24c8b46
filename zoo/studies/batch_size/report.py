"""From the cells of the batch-size study to its report: table, verdict, and what is needed to draw both again."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.studies.batch_size.cells import NETWORKS
from zoo.studies.batch_size.verdict import judge
from zoo.studies.numbers import binomial_error, spread
from zoo.training import Recipe

# Table 9 of the paper, Top-1 in percent; its CIFAR-10 row has no baseline.
PAPER = {
    "source": "arXiv 2606.02927, section 6.1, table 9",
    "batch_sizes": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    "SaluNet-C-18, CIFAR-10": [93.44, 95.57, 96.60, 97.08, 97.10, 97.35, 97.20, 97.30, 97.25, 97.35],
    "SaluNet-C-18, CIFAR-100": [76.23, 79.12, 80.07, 80.69, 80.91, 81.38, 81.74, 82.00, 82.86, 83.25],
    "BN+ReLU, CIFAR-100": [1.10, 30.90, 46.47, 67.90, 78.49, 81.27, 81.90, 82.55, 82.32, 82.15],
}
OURS = (
    "one pass over a part of the training images instead of 300 epochs over all, so large batches get few steps; 16 "
    "pixels instead of 32, so BatchNorm sees 4 values per image and channel in the last stage (the paper's saw 16); "
    "CIFAR-10 for both networks; a start of SALU and SWALU with a higher gain; gradient clipping; the rule by which "
    "each cell finds its learning rate: the lowest cross-entropy on held-out training images among three rates around "
    "0.15 times sqrt(batch size / 512)"
)


def make_report(recipe: Recipe, cells: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the table and the picture are made of.

    Args:
        recipe: the study's; batch size, learning rate, network and seed of a cell are in the cell.
        cells: one for each network, batch size and seed, with `network`, `batch_size`, `lr`, `top1`, `diverged`, ...
        data: what `zoo.studies.images.about` says.

    Returns:
        `study`, `paper`, `ours`, `recipe`, `data`, `table` (a row for each network and batch size), `verdict`, `cells`.
    """
    images, classes = data["evaluation"]["images"], data["evaluation"]["classes"]
    rows = table(cells, images)
    return {
        "study": "batch-size",
        "paper": PAPER,
        "ours": OURS,
        "recipe": recipe.to_dict(),
        "data": dict(data),
        "table": rows,
        "verdict": judge(rows, 100 / classes),
        "cells": [dict(cell) for cell in cells],
    }


def table(cells: Sequence[Mapping[str, Any]], images: int) -> list[dict[str, Any]]:
    """One row for each network and batch size, means over the seeds; smallest batch size first.

    `top1` is None where every seed diverged; `top1_se` is the binomial standard error on `images` test images,
    `top1_std` the standard deviation over the seeds that did not.
    """
    sizes = sorted({cell["batch_size"] for cell in cells})
    return [_row(network.label, size, cells, images) for size in sizes for network in NETWORKS]


def _row(network: str, size: int, cells: Sequence[Mapping[str, Any]], images: int) -> dict[str, Any]:
    own = [cell for cell in cells if (cell["network"], cell["batch_size"]) == (network, size)]
    done = [cell for cell in own if not cell["diverged"]]
    top1, std = spread([cell["top1"] for cell in done]) if done else (None, None)
    return {
        "network": network,
        "batch_size": size,
        "steps": own[0]["steps"],
        "runs": len(own),
        "diverged": len(own) - len(done),
        "lr": [cell["lr"] for cell in own],
        "top1": top1,
        "top1_se": None if top1 is None else binomial_error(top1, images),
        "top1_std": std,
        "top1_batch_statistics": _mean(done, "top1_batch_statistics"),
        "loss": _mean(done, "loss"),
        "train_loss": _mean(done, "train_loss"),
        "seconds": _mean(own, "seconds"),
    }


def _mean(cells: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [cell[name] for cell in cells if cell.get(name) is not None]
    return spread(values)[0] if values else None

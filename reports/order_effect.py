"""FleS-Proto takes its statistics from the whole batch: Top-1 in batches sorted by class, and in shuffled ones.

    python reports/order_effect.py --data data/cifar10 --report reports/order_effect.json
    python reports/order_effect.py --show reports/order_effect.json

The paper's slides report 85.2 % sorted against 77.3 % shuffled for a Swin on ImageNet. Here a small PoolFormer is
trained on CIFAR-10 with each seed, on shuffled batches, and measured on all test images in batches of 100: sorted by
class, so that a batch holds one class, and in three orders drawn at random. Everything but that comparison is ours.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import torch
from experiment import Report, about, carry_out, conduct, options, seeded, spread, start, written
from torch import Tensor, nn

from zoo import Preprocess
from zoo.data import ImageDataset, load_vision
from zoo.training import Recipe, load_recipe

BATCH = 100
SHUFFLES = 3


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line; returns the report."""
    given = options("order_effect", __doc__, seeds=3).parse_args(argv)
    recipe = load_recipe("poolformer_cifar10_short", ["model.act=fles_proto", *given.set])
    return conduct("order_effect", given, lambda: run(recipe, given), lambda report, path: None)


def run(recipe: Recipe, given: argparse.Namespace) -> Report:
    """Train with each seed, and measure in both orders."""
    test = load_vision(recipe.data.dataset, recipe.data.eval_split, given.data)
    runs = []
    for own in seeded(recipe, given.seeds):
        folder = given.output / f"seed{own.runtime.seed}"
        runs.append(carry_out(own, given.data, folder, given.device, lambda model: measured(model, test)))
    sentence = verdict([run for run in runs if not run["diverged"]])
    return {
        "study": "order_effect",
        "about": __doc__,
        "recipe": recipe.to_dict(),
        "data": about(test),
        "verdict": {"sentence": sentence},
        "runs": runs,
    }


@torch.inference_mode()
def measured(model: nn.Module, test: ImageDataset) -> Report:
    """Top-1 (%) by order of the test images."""
    model.eval()
    prepare = Preprocess.of(model)
    images = torch.stack([prepare(image) for image, _ in test])
    labels = torch.tensor([label for _, label in test])
    orders = {"sorted": [labels.argsort(stable=True)], "shuffled": []}
    for seed in range(SHUFFLES):
        orders["shuffled"].append(torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)))
    return {name: [top1(model, images, labels, order) for order in drawn] for name, drawn in orders.items()}


def top1(model: nn.Module, images: Tensor, labels: Tensor, order: Tensor) -> float:
    """Top-1 (%) in batches that follow `order`."""
    place = next(model.parameters()).device
    right = [
        (model(images[part].to(place)).argmax(1).cpu() == labels[part]).sum().item() for part in order.split(BATCH)
    ]
    return 100 * sum(right) / len(labels)


def verdict(runs: Sequence[Any]) -> str:
    """Both figures over the seeds, and their difference."""
    if not runs:
        return "Every run diverged."
    ordered = [run["sorted"][0] for run in runs]
    shuffled = [spread(run["shuffled"])[0] for run in runs]
    gains = [a - b for a, b in zip(ordered, shuffled, strict=True)]
    texts = [written(values, 2) for values in (ordered, shuffled, gains)]
    return f"Sorted by class {texts[0]} %, shuffled {texts[1]} %, difference {texts[2]} points ({len(runs)} seeds)."


if __name__ == "__main__":
    start(main)

"""A trained ResNet-18 and the SaluNet that `zoo.convert` makes of it: at once, after an epoch, and at batch size 1.

    python reports/converted.py --data data/cifar10 --report reports/converted.json
    python reports/converted.py --show reports/converted.json

A ResNet-18 with BatchNorm and ReLU is trained briefly on CIFAR-10 at 16 px, then converted. Both go on training on the
same images in the same order: an epoch in batches of 128, and a fifth of the images one by one, where a BatchNorm has
one image to take its statistics from. Its honest rival there is the same BatchNorm with its statistics kept, which the
conversion folds into the convolutions. Training goes on by SGD with momentum 0.9 and a rate that falls to 0; each cell
tries three rates on fewer images, and takes the one with the lowest cross-entropy on 1,000 images that are neither
trained on nor reported on. All of it is ours.
"""

import argparse
import copy
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from experiment import Report, about, conduct, options, shuffled, start, write_part
from torch import Tensor, nn
from torch.nn import functional as F

import zoo
from zoo.data import load_vision
from zoo.data.preprocess import Preprocess
from zoo.training import Recipe, load_recipe, train

SIZE, IMAGES, CHOOSE, MEASURE = 16, 10_000, 1_000, 4_000
SETTINGS = [
    f"model.args={{img_size={SIZE}}}", "model.norm=batchnorm", "model.act=relu", "augmentation.padding=2",
    "data.batch_size=128", "schedule.epochs=4", "schedule.warmup_epochs=0.5", "schedule.resolution=[]",
    "runtime.eval_every=4", "runtime.precision=float32", "runtime.compile=false",
]  # fmt: skip
# Batch size: images trained on, images the rates are tried on, rates.
CELLS = {128: (IMAGES, 2_560, (3e-3, 1e-2, 3e-2)), 1: (2_000, 500, (1e-4, 3e-4, 1e-3))}
SALUNET, BATCHNORM, KEPT = "SaluNet, converted", "BatchNorm", "BatchNorm, statistics kept"
Images = tuple[Tensor, Tensor]


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line; returns the report."""
    given = options("converted", __doc__, seeds=1).parse_args(argv)
    recipe = load_recipe("c18_cifar10_short", [*SETTINGS, *given.set])
    return conduct("converted", given, lambda: run(recipe, given), lambda report, path: None)


def run(recipe: Recipe, given: argparse.Namespace) -> Report:
    """Train, convert, and fine-tune both in every way."""
    whole = load_vision(recipe.data.dataset, recipe.data.train_split, given.data)
    order, data = shuffled(len(whole), 0), given.output / "data"
    write_part(data / "train.parquet", whole, order[:IMAGES])
    write_part(data / "test.parquet", whole, order[-CHOOSE - MEASURE :])
    trained = train(recipe, data=data, output=given.output / "resnet18", resume=True, device=given.device)
    network = trained.model.eval()
    learn = tensors(network, data, recipe, "train")
    rest = tensors(network, data, recipe, "test")
    choose, measure = tuple(t[:CHOOSE] for t in rest), tuple(t[CHOOSE:] for t in rest)
    salunet, conversion = zoo.convert(network, to="salunet", example=learn[0][:64])
    networks = {SALUNET: salunet, BATCHNORM: network, KEPT: network}
    at_once = {name: accuracy(networks[name], measure)[0] for name in (BATCHNORM, SALUNET)}
    rows = []
    for size in CELLS:
        for name, model in networks.items():
            place = given.output / f"{name.replace(', ', '-').replace(' ', '-')}_b{size}.json"
            if not place.exists():
                place.write_text(json.dumps(cell(name, model, size, learn, choose, measure)), "utf-8")
            rows.append(json.loads(place.read_text("utf-8")))
            print(f"{name}, batch size {size}: {rows[-1]['top1']:.2f} %", flush=True)
    return {
        "study": "converted",
        "about": __doc__,
        "recipe": recipe.to_dict(),
        "data": {"train": about(whole, IMAGES), "measure": about(whole, MEASURE)},
        "seconds": trained.summary["wall_clock_s"],
        "environment": trained.summary["environment"],
        "conversion": {"sites": len(conversion.sites), "at_once": at_once},
        "rows": rows,
        "verdict": {"sentence": verdict(at_once, rows)},
    }


def tensors(network: nn.Module, data: Path, recipe: Recipe, split: str) -> Images:
    """All images of a split as the network takes them, at `SIZE`, and their labels."""
    images = load_vision(recipe.data.dataset, split, data)
    prepare = Preprocess.of(network)
    pictures = torch.stack([prepare(image) for image, _ in images])
    return pictures, torch.tensor([label for _, label in images])


def cell(name: str, model: nn.Module, size: int, learn: Images, choose: Images, measure: Images) -> Report:
    """Find the rate of one network at one batch size, train on with it, and measure."""
    count, probe, rates = CELLS[size]
    tried = []
    for rate in rates:
        loss = accuracy(fine_tuned(model, name, rate, size, learn, probe), choose)[1]
        tried.append({"lr": rate, "loss": loss if loss == loss and loss < 100 else None})
    best = min((t for t in tried if t["loss"] is not None), key=lambda t: t["loss"], default=None)
    if best is None:
        return {"network": name, "batch_size": size, "lr_tried": tried, "lr": None, "top1": 0.0}
    top1 = accuracy(fine_tuned(model, name, best["lr"], size, learn, count), measure)[0]
    return {"network": name, "batch_size": size, "images": count, "lr_tried": tried, "lr": best["lr"], "top1": top1}


def fine_tuned(model: nn.Module, name: str, rate: float, size: int, learn: Images, count: int) -> nn.Module:
    """A copy of the model after `count` images, flipped at random, in batches of `size`."""
    model, generator = copy.deepcopy(model).train(), torch.Generator().manual_seed(0)
    if name == KEPT:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    steps = count // size
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    flipped = torch.rand(count, generator=generator) < 0.5
    for first in range(0, steps * size, size):
        here = slice(first, first + size)
        pictures = torch.where(flipped[here, None, None, None], learn[0][here].flip(3), learn[0][here])
        optimizer.zero_grad()
        F.cross_entropy(model(pictures), learn[1][here]).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def accuracy(model: nn.Module, images: Images) -> tuple[float, float]:
    """Top-1 (%) and mean cross-entropy."""
    logits = torch.cat([model(part) for part in images[0].split(250)])
    hits = (logits.argmax(1) == images[1]).float().mean().item() * 100
    return hits, F.cross_entropy(logits, images[1]).item()


def verdict(at_once: dict[str, float], rows: list[Report]) -> str:
    """Every figure in one sentence."""
    after = "; ".join(f"{row['network']} at batch size {row['batch_size']} {row['top1']:.2f}" for row in rows)
    return f"Top-1: BatchNorm {at_once[BATCHNORM]:.2f}, converted {at_once[SALUNET]:.2f} at once; then {after}."


if __name__ == "__main__":
    import sys

    start(lambda: main(sys.argv[1:]))

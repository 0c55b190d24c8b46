"""SaluNet-C-18 against BatchNorm and ReLU at batch sizes from 1 to 512 (arXiv 2606.02927, section 6.1, table 9).

    python reports/batch_size.py --report batch_size.json --picture batch_size.png
    python reports/batch_size.py --show reports/batch_size.json

Ours is one pass over a part of CIFAR-10 instead of 300 epochs, so large batches get few steps, and 16 pixels instead of
32, so BatchNorm sees 4 values per image and channel in the last stage (the paper's saw 16); the rest is in
batch_size.toml. Every run sees the same images in the same order. Its learning rate is found by one rule, fixed before
any test image was looked at and the same for both networks: around 0.15·sqrt(B / 512), which at batch size 512 is half
the paper's rate, three rates a factor of 3 apart are tried on max(512, 8·B) training images each; the one with the
lowest cross-entropy on 1,000 further training images trains the cell.

The verdict is on the smallest batch size. A network fails at a batch size if a run of it diverged there, or if what it
reaches above chance is less than half of what it reaches above chance at its best batch size. Each network is its own
measure, since in so short a training their levels differ. A network that nowhere comes half as far again as chance has
learned nothing to lose.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiment import Report, about, carry_out, conduct, options, shuffled, spread, start, write_part
from matplotlib.figure import Figure
from torch import nn

from zoo import evaluate
from zoo.data import load_vision
from zoo.errors import ConfigurationError
from zoo.training import Recipe, load_recipe

BATCH_SIZES = (1, 4, 32, 512)
HELD_OUT = 1000
SALUNET, BASELINE = "SaluNet-C-18", "BN+ReLU"
# SALU and SWALU start with a higher gain, as in c18_cifar10_short: else a run this short ends before the loss moves.
NETWORKS: dict[str, tuple[str, str, str, dict[str, Any]]] = {  # colour, norm, gate, their start
    SALUNET: ("#2f6690", "salu", "swalu", {"salu_init": [1.5, 0.25], "gate_init": [0.7, 0.7]}),
    BASELINE: ("#d1495b", "batchnorm", "relu", {}),
}
OUTCOMES = {  # by whether SaluNet and the baseline fail
    (False, True): ("borne out", f"is borne out: at batch size {{}} {BASELINE} fails and {SALUNET} does not."),
    (True, True): ("both fail", "is not borne out: at batch size {} both networks fail."),
    (False, False): ("neither fails", "is not borne out: at batch size {} neither network fails."),
    (True, False): ("the reverse", f"is reversed: at batch size {{}} {SALUNET} fails and {BASELINE} does not."),
}
INSTEAD = "With the statistics of each evaluation batch instead of its running averages it reaches"
LEARNED = "its weights did learn, and the running averages are what fails"
LEARNED_LITTLE = "its weights learned too little as well, so the running averages are not the only fault"


def rates(batch_size: int) -> list[float]:
    """The learning rates a cell tries, rounded to three digits."""
    return [float(f"{0.15 * math.sqrt(batch_size / 512) * factor:.3g}") for factor in (1 / 3, 1.0, 3.0)]


def probe_images(batch_size: int) -> int:
    """On how many training images each of them is tried."""
    return max(512, 8 * batch_size)


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line; returns the report."""
    parser = options("batch_size", __doc__, seeds=1)
    parser.add_argument("--samples", type=int, default=8192, help="training images of each run (default: 8192)")
    given = parser.parse_args(argv)
    recipe = load_recipe(Path(__file__).with_suffix(".toml"), given.set)
    return conduct("batch-size", given, lambda: run(recipe, given), draw)


def run(recipe: Recipe, given: argparse.Namespace) -> Report:
    """Train both networks at every batch size with each seed."""
    if given.samples < 1 or given.samples % math.lcm(*BATCH_SIZES):
        raise ConfigurationError(
            f"All must see the same images: give --samples a multiple of {math.lcm(*BATCH_SIZES)}."
        )
    data = write_parts(recipe, given)
    cells = []
    for seed in range(recipe.runtime.seed, recipe.runtime.seed + given.seeds):
        for size in sorted(BATCH_SIZES, reverse=True):  # the cheapest first
            cells += [run_cell(recipe, label, size, seed, given) for label in NETWORKS]
    rows = table(cells, data["evaluation"]["images"])
    return {
        "study": "batch-size",
        "about": __doc__,
        "recipe": recipe.to_dict(),
        "data": data,
        "table": rows,
        "verdict": judge(rows, 100 / data["evaluation"]["classes"]),
        "cells": cells,
    }


def write_parts(recipe: Recipe, given: argparse.Namespace) -> Report:
    """Write a folder of parquet files for each number of training images; returns what the report says of the data."""
    name, splits = recipe.data.dataset, (recipe.data.train_split, recipe.data.eval_split)
    whole, test = (load_vision(name, split, given.data) for split in splits)
    probes = {probe_images(size) for size in BATCH_SIZES}
    if len(whole) < max(given.samples, *probes) + HELD_OUT:
        wanted = f"{given.samples} samples, {max(probes)} to try learning rates on and {HELD_OUT} held out"
        raise ConfigurationError(f"{name} has {len(whole)} training images; {wanted} need more. Lower --samples.")
    order = shuffled(len(whole), recipe.runtime.seed)
    write_part(given.output / "data/final/train.parquet", whole, order[: given.samples])
    write_part(given.output / "data/final/test.parquet", test, range(len(test)))
    for count in probes:
        write_part(given.output / f"data/probe{count}/train.parquet", whole, order[:count])
        write_part(given.output / f"data/probe{count}/test.parquet", whole, order[-HELD_OUT:])
    used = {"train": given.samples, "held_out": HELD_OUT}
    return {use: about(whole, count) for use, count in used.items()} | {"evaluation": about(test)}


def run_cell(base: Recipe, label: str, size: int, seed: int, given: argparse.Namespace) -> Report:
    """Find one cell's learning rate, then train it."""
    _, norm, act, args = NETWORKS[label]
    model = replace(base.model, norm=norm, act=act, args={**base.model.args, **args})
    data, runtime = replace(base.data, batch_size=size), replace(base.runtime, seed=seed)
    place, final = given.output / f"{norm}_b{size}_seed{seed}", given.output / "data/final"

    def recipe(rate: float) -> Recipe:
        return replace(base, data=data, model=model, runtime=runtime, optimizer=replace(base.optimizer, lr=rate))

    tried = []
    for rate in rates(size):
        probe = given.output / f"data/probe{probe_images(size)}"
        found = carry_out(recipe(rate), probe, place.with_name(f"{place.name}_try{rate:g}"), given.device)
        tried.append({"lr": rate, "diverged": found["diverged"], "seconds": found["seconds"], **figures(found)})
    chosen = min(tried, key=lambda t: (math.inf if t["loss"] is None else t["loss"], t["lr"]))["lr"]

    def by_batch_statistics(model: nn.Module) -> Report:
        found = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        for module in found:
            module.running_mean = module.running_var = None  # BatchNorm then takes each batch's own
        options = {"data": final, "batch_size": base.runtime.eval_batch_size}
        return {"top1_batch_statistics": evaluate(model, data.dataset, **options).top1 if found else None}

    result = carry_out(recipe(chosen), final, place, given.device, by_batch_statistics)
    choice = {"lr": chosen, "lr_tried": tried, "lr_tried_on": probe_images(size), "steps": given.samples // size}
    return {"network": label, "batch_size": size, **choice, **result, **figures(result)}


def figures(result: Report) -> Report:
    """Top-1 (percent) and losses of a training's end; None each where it diverged."""
    last = {} if result["diverged"] else result["log"][-1]
    names = ("top1", "loss", "train_loss", "grad_norm_max")
    return {name: last.get(f"val_{name}", last.get(name)) for name in names}


def table(cells: Sequence[Report], images: int) -> list[Report]:
    """One row for each batch size and network: means, `top1_se` = sqrt(p·(100 − p)/images), deviation over seeds."""
    rows = []
    for size in sorted({cell["batch_size"] for cell in cells}):
        for label in NETWORKS:
            own = [cell for cell in cells if (cell["network"], cell["batch_size"]) == (label, size)]
            done = [cell for cell in own if not cell["diverged"]]
            top1, std = spread([cell["top1"] for cell in done]) if done else (None, None)
            row = {"network": label, "batch_size": size, "steps": own[0]["steps"], "runs": len(own)}
            row |= {"diverged": len(own) - len(done), "lr": [cell["lr"] for cell in own], "top1": top1, "top1_std": std}
            row["top1_se"] = None if top1 is None else math.sqrt(top1 * (100 - top1) / images)
            for name in ("top1_batch_statistics", "loss", "train_loss", "seconds"):
                known = [cell[name] for cell in done if cell.get(name) is not None]
                row[name] = spread(known)[0] if known else None
            rows.append(row)
    return rows


def judge(rows: Sequence[Report], chance: float) -> Report:
    """Judge the smallest batch size of the table; `chance` is Top-1 of guessing in percent."""
    size = min(row["batch_size"] for row in rows)
    here = {row["network"]: row for row in rows if row["batch_size"] == size}
    fails: dict[str, list[int]] = {}
    level: dict[str, float] = {}
    idle, ends = [], []
    for label in NETWORKS:
        own = [row for row in rows if row["network"] == label]
        best = max((row for row in own if row["top1"] is not None), key=lambda row: row["top1"], default=None)
        level[label] = math.inf if best is None else chance + 0.5 * (best["top1"] - chance)
        fails[label] = [row["batch_size"] for row in own if row["diverged"] or row["top1"] < level[label]]
        idle += [label] if best is None or best["top1"] <= 1.5 * chance else []
        ends.append(describe(here[label], best, chance))
    outcome, claim = OUTCOMES[size in fails[SALUNET], size in fails[BASELINE]]
    sentence = f"The paper's claim {claim.format(size)}"
    if idle:
        outcome, sentence = "no answer", f"No answer: {' and '.join(idle)} learned nothing at any batch size."
    found = here[BASELINE]["top1_batch_statistics"]
    if size in fails[BASELINE] and found is not None:
        cause = LEARNED if found >= level[BASELINE] else LEARNED_LITTLE
        ends.append(f"{INSTEAD} {found:.2f} %: {cause}.")
    ends.insert(0, sentence)
    return {"outcome": outcome, "batch_size": size, "chance": chance, "fails": fails, "sentence": " ".join(ends)}


def describe(here: Report, best: Report | None, chance: float) -> str:
    """What a network reaches at the smallest batch size, beside its best."""
    name, top1 = here["network"], here["top1"]
    if best is None:
        return f"{name} diverged at every batch size."
    lost = f", {here['diverged']} of {here['runs']} runs diverged" if here["diverged"] else ""
    reached = "reaches no result" if top1 is None else f"reaches {top1:.2f} %"
    level = f"{name} {reached} there{lost}; its best is {best['top1']:.2f} % at batch size {best['batch_size']}"
    if top1 is None or best["top1"] <= chance:
        return f"{level}."
    kept = max(0.0, top1 - chance) / (best["top1"] - chance)
    return f"{level}, of whose lead over chance it keeps {100 * kept:.0f} %."


def draw(report: Report, path: Path) -> None:
    """Top-1 over the batch size with two standard errors; crosses mark batch sizes where runs diverged."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis: Any = figure.subplots()
    chance, data = report["verdict"]["chance"], report["data"]
    for label, (colour, *_) in NETWORKS.items():
        rows = [row for row in report["table"] if row["network"] == label]
        points = [(row["batch_size"], row["top1"], 2 * row["top1_se"]) for row in rows if row["top1"] is not None]
        instead = [(row["batch_size"], row["top1_batch_statistics"]) for row in rows if row["top1_batch_statistics"]]
        lost = [(row["batch_size"], row["top1"] or chance) for row in rows if row["diverged"]]
        if points:
            axis.errorbar(*zip(*points, strict=True), color=colour, marker="o", capsize=3, label=label)
        if instead:
            axis.plot(*zip(*instead, strict=True), "s--", color=colour, label=f"{label}, by batch statistics")
        if lost:
            axis.plot(*zip(*lost, strict=True), "x", color=colour, label=f"{label}, runs diverged")
    axis.axhline(chance, color="#888", ls=":", label=f"chance ({chance:g} %)")
    axis.set_xscale("log", base=2)
    steps = {row["batch_size"]: f"{row['batch_size']}\n({row['steps']:,} steps)" for row in report["table"]}
    axis.set_xticks(list(steps), list(steps.values()))
    axis.set(xlabel="batch size", ylabel=f"Top-1 on {data['evaluation']['images']:,} test images (%)", ylim=(0, None))
    axis.set_title(f"One pass over {data['train']['images']:,} images of CIFAR-10 (2 standard errors)")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    start(main)

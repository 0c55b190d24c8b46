"""Run the batch-size study: for each cell the search for its learning rate, then its training."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from zoo.data.preprocess import Preprocess
from zoo.data.vision import ImageDataset, load_vision
from zoo.errors import ConfigurationError
from zoo.models import build_model
from zoo.studies.batch_size.cells import BATCH_SIZES, HELD_OUT, NETWORKS, Cell, probe_images, rates
from zoo.studies.batch_size.report import make_report
from zoo.studies.batch_size.statistics import measure_with_batch_statistics
from zoo.studies.images import about, held
from zoo.studies.runs import Job, carry_out, claim, one_process
from zoo.training import Recipe, load_recipe
from zoo.training.devices import Devices
from zoo.training.seeds import Purpose, derive, generator

RECIPE = Path(__file__).with_name("batch_size.toml")
SAMPLES = 8192


def run_batch_size(
    *,
    data: str | Path | None = None,
    output: str | Path = "runs/study_batch_size",
    samples: int = SAMPLES,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
    seeds: int = 1,
    recipe: Recipe | None = None,
    resume: bool = False,
    device: str | None = None,
    show: bool = True,
) -> dict[str, Any]:
    """Train both networks at every batch size on the same images in the same order, and report what they reach.

    A finished run is stored and not repeated, so a killed study goes on with `resume=True`.

    Args:
        data: local folder of the data set; None fetches it from the Hub.
        output: folder of the study, one folder inside for each run.
        samples: training images, each seen once; a multiple of every batch size.
        batch_sizes: which.
        seeds: how many, counted from the recipe's.
        recipe: None takes batch_size.toml.
        resume: go on where the folder stands.
        device: "cpu", "cuda", ...; None takes the best available.
        show: draw progress.

    Returns:
        The report; see `zoo.studies.batch_size.report.make_report`.

    Raises:
        ConfigurationError: samples, batch sizes or seeds do not fit each other or the data.
        OutputError: the folder holds runs and `resume` is False, or cannot be written.
        RecipeError: the folder's runs are of another recipe or other data.
        DataNotFoundError: the data set is missing.
    """
    recipe, folder = recipe or load_recipe(RECIPE), Path(output).absolute()
    _check(samples, batch_sizes, seeds)
    devices = one_process(device)
    claim(folder, resume)
    parts = _parts(recipe, data, samples, max(map(probe_images, batch_sizes)), show)
    results = []
    for seed in range(recipe.runtime.seed, recipe.runtime.seed + seeds):
        for batch_size in sorted(batch_sizes, reverse=True):  # the cheapest first
            for network in NETWORKS:
                cell = Cell(network, batch_size, seed)
                results.append(_carry_out(cell, recipe, parts, folder, devices, show))
    shown = {name: parts[name] for name in ("train", "held_out", "evaluation")}
    return make_report(recipe, results, about(shown))


def _check(samples: int, batch_sizes: tuple[int, ...], seeds: int) -> None:
    if seeds < 1:
        raise ConfigurationError(f"Asked for {seeds} seeds; a study needs at least one.")
    if not batch_sizes or len(set(batch_sizes)) < len(batch_sizes) or min(batch_sizes) < 1:
        raise ConfigurationError(f"Batch sizes {list(batch_sizes)}: give different positive numbers, at least one.")
    uneven = [size for size in batch_sizes if samples < size or samples % size]
    if uneven:
        wanted = math.lcm(*batch_sizes)
        raise ConfigurationError(
            f"{samples} samples are no multiple of batch sizes {uneven}; every cell must see the same images. "
            f"Give a multiple of {wanted}, such as {max(1, round(samples / wanted)) * wanted}."
        )


def _parts(recipe: Recipe, data: str | Path | None, samples: int, probe: int, show: bool) -> dict[str, ImageDataset]:
    """The images trained on, those held out of them, and the test split; the first two drawn at random."""
    whole = load_vision(recipe.data.dataset, recipe.data.train_split, data)
    needed = max(samples, probe) + HELD_OUT
    if len(whole) < needed:
        raise ConfigurationError(
            f"{recipe.data.dataset} has {len(whole)} training images; {samples} samples, {probe} to try learning rates "
            f"on and {HELD_OUT} held out need {needed}. Give fewer samples."
        )
    rng = generator(derive(recipe.runtime.seed, Purpose.SAMPLE))
    order = torch.randperm(len(whole), generator=rng).tolist()
    first = held(whole, order[: max(samples, probe)], show=show)
    test = load_vision(recipe.data.dataset, recipe.data.eval_split, data)
    return {
        "pool": first,
        "train": held(first, range(samples)),
        "held_out": held(whole, order[-HELD_OUT:]),
        "evaluation": held(test, show=show),
    }


def _carry_out(
    cell: Cell, recipe: Recipe, parts: Mapping[str, ImageDataset], folder: Path, devices: Devices, show: bool
) -> dict[str, Any]:
    probe = held(parts["pool"], range(probe_images(cell.batch_size)))
    tried = []
    for rate in rates(cell.batch_size):
        job = _job(cell, recipe, rate, parts["train"].num_classes, f"{cell.name}_try{rate:g}", final=False)
        found = carry_out(job, {"train": probe, "evaluation": parts["held_out"]}, folder, devices, show=show)
        tried.append({"lr": rate, "diverged": found["diverged"], "seconds": found["seconds"], **_figures(found)})
    chosen = min(tried, key=_badness)["lr"]
    job = _job(cell, recipe, chosen, parts["train"].num_classes, cell.name, final=True)
    splits = {"train": parts["train"], "evaluation": parts["evaluation"]}
    result = carry_out(job, splits, folder, devices, show=show)
    return {
        "network": cell.network.label,
        "batch_size": cell.batch_size,
        "lr": chosen,
        "lr_tried": tried,
        "lr_tried_on": len(probe),
        **result,
        **_figures(result),
    }


def _job(cell: Cell, base: Recipe, rate: float, classes: int, name: str, *, final: bool) -> Job:
    recipe = cell.recipe(base, rate)
    m = recipe.model
    build = partial(build_model, m.name, num_classes=classes, norm=m.norm, act=m.act, **m.args)
    preprocess = Preprocess.of(build(device="meta"))  # what it takes is known without its weights
    if not final:
        return Job(name, recipe, build, preprocess)
    return Job(name, recipe, build, preprocess, conclude=measure_with_batch_statistics)


def _figures(result: Mapping[str, Any]) -> dict[str, Any]:
    """Top-1 (percent) and losses of a training's end; None each where it diverged."""
    last = result["log"][-1] if result["log"] and not result["diverged"] else {}
    return {
        "top1": last.get("val_top1"),
        "loss": last.get("val_loss"),
        "train_loss": last.get("train_loss"),
        "grad_norm_max": last.get("grad_norm_max"),
    }


def _badness(tried: Mapping[str, Any]) -> tuple[float, float]:
    """Held-out loss, infinite where there is none; then the rate, so that of two that failed the lower is taken."""
    loss = tried["loss"]
    return (loss if loss is not None and math.isfinite(loss) else math.inf, tried["lr"])

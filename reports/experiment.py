"""What the experiment scripts share: their options, runs that are trained once and kept by folder, their report."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import datasets
import torch

from zoo import ZooError
from zoo.data import DATASETS, ImageDataset
from zoo.errors import ConfigurationError, OutputError, RecipeError
from zoo.training import DivergedError, Recipe, load_recipe, train
from zoo.training.seeds import Purpose, derive, generator

Report = dict[str, Any]


def options(name: str, description: str, seeds: int) -> argparse.ArgumentParser:
    """The options of every script; `seeds` is how many runs of each kind there are by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="local folder of the data set; without it: from the Hub")
    parser.add_argument("--seeds", type=int, default=seeds, help=f"runs of each kind (default: {seeds})")
    parser.add_argument(
        "--output", type=Path, default=Path("runs") / name, help="folder of the runs; what is there goes on"
    )
    parser.add_argument("--report", type=Path, help="write everything measured to this JSON file")
    parser.add_argument("--picture", type=Path, help="draw the picture into this .png file")
    parser.add_argument("--show", type=Path, metavar="REPORT", help="run nothing: show what --report wrote")
    parser.add_argument("--device", help="cpu, cuda, ...; without it: the best available")
    parser.add_argument("--set", action="append", default=[], help="change the recipe, as schedule.epochs=2")
    return parser


def conduct(
    study: str, given: argparse.Namespace, run: Callable[[], Report], draw: Callable[[Report, Path], None]
) -> Report:
    """Run the experiment or read its report, write what was asked for, and print the verdict.

    Raises:
        OutputError: a file that was asked for could not be written later.
        ConfigurationError: `--seeds` is below 1, or `--show` names no report of this study.
    """
    for file in filter(None, (given.report, given.picture)):
        if file.is_dir() or not file.absolute().parent.is_dir():
            raise OutputError(f"Cannot write {file}: give the name of a file in a folder that exists.")
    if given.seeds < 1:
        raise ConfigurationError(f"Asked for {given.seeds} seeds; an experiment needs at least one.")
    report = run() if given.show is None else _read(given.show, study)
    if given.report is not None:
        _write(given.report, report)
    if given.picture is not None:
        draw(report, given.picture)
    print(report["verdict"]["sentence"])
    return report


def start(script: Callable[[], object]) -> None:
    """Run a script; what the zoo refuses is printed and ends it with status 1."""
    try:
        script()
    except ZooError as error:
        sys.exit(f"Error: {error}")


def carry_out(
    recipe: Recipe,
    data: Path | None,
    folder: Path,
    device: str | None,
    conclude: Callable[[Any], Report] = lambda model: {},
    on_step: Callable[[Any], None] | None = None,
) -> Report:
    """Train by `recipe`, go on with a killed run, or read what a finished one left in `folder`.

    `conclude` takes the trained network and says what to add to the result. A run that diverged ends with that.

    Raises:
        RecipeError: the folder holds a run by another recipe, or an unfinished one of other data.
    """
    kept = folder / "result.json"
    if kept.exists():
        stored: Report = json.loads(kept.read_text("utf-8"))
        stored.pop("recipe")
        if load_recipe(folder / "recipe.json").to_dict() != recipe.to_dict():  # a field added since has its default
            raise RecipeError(f"{folder} holds a run by another recipe. Take that one, or choose another --output.")
        return stored
    print(folder.name, file=sys.stderr)
    result: Report = {"name": folder.name, "seed": recipe.runtime.seed, "diverged": None}
    began = time.monotonic()
    try:
        trained = train(recipe, data=data, output=folder, resume=True, device=device, on_step=on_step)
        names = {"wall_clock_s": "seconds", "finished": "finished", "environment": "environment"}
        result |= {new: trained.summary[old] for old, new in names.items()} | conclude(trained.model)
    except DivergedError as error:  # what follows the first sentence names the folder
        result |= {"diverged": str(error).partition(". ")[0], "seconds": time.monotonic() - began}
    log = folder / "log.jsonl"
    result["log"] = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
    _write(kept, {**result, "recipe": recipe.to_dict()})
    for large in ("checkpoint.safetensors", "model.safetensors"):
        (folder / large).unlink(missing_ok=True)
    return result


def about(images: ImageDataset, count: int | None = None) -> Report:
    """What a report says of a split, or of `count` images of it: name, size, hashes; no folder of this machine."""
    source = {key: value for key, value in images.source.items() if key != "folder"}
    size = {"images": len(images) if count is None else count, "classes": images.num_classes}
    return {"dataset": images.name, "split": images.split, **size, "source": source}


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None for a single value."""
    return fmean(values), stdev(values) if len(values) > 1 else None


def written(values: Sequence[float], digits: int) -> str:
    """Mean ± sample standard deviation; the mean alone of a single value."""
    mean, std = spread(values)
    return f"{mean:.{digits}f}" if std is None else f"{mean:.{digits}f} ± {std:.{digits}f}"


def seeded(recipe: Recipe, count: int) -> list[Recipe]:
    """The recipe with `count` seeds, from its own on."""
    first = recipe.runtime.seed
    return [replace(recipe, runtime=replace(recipe.runtime, seed=seed)) for seed in range(first, first + count)]


def shuffled(count: int, seed: int) -> list[int]:
    """Positions 0 to `count` - 1 in an order drawn by `seed`."""
    order: list[int] = torch.randperm(count, generator=generator(derive(seed, Purpose.SAMPLE))).tolist()
    return order


def write_part(file: Path, images: ImageDataset, positions: Sequence[int]) -> None:
    """Write some images as the data set's own parquet files are laid out, if that was not done before."""
    if file.exists():
        return
    spec, (pictures, labels) = DATASETS.get(images.name), zip(*(images[i] for i in positions), strict=True)
    features = datasets.Features({spec.image_column: datasets.Image(), spec.label_column: datasets.Value("int64")})
    rows = {spec.image_column: list(pictures), spec.label_column: list(labels)}
    file.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(rows, features).to_parquet(file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)


def _read(path: Path, study: str) -> Report:
    try:
        report: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read the report {path}: {error}. Make one with --report.") from error
    if not isinstance(report, dict) or report.get("study") != study:
        raise ConfigurationError(f"Asked for a report of {study!r}, but {path} is none. Make one with --report.")
    return report


def _write(path: Path, value: Mapping[str, Any]) -> None:
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
    beside.replace(path)

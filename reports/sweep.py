"""Train a recipe once for every point of a grid and every seed, and print Top-1 and loss as a table.

    python reports/sweep.py reports/salu_start_c18.toml --data data/cifar10 --report reports/salu_start_c18.json
    python reports/sweep.py --show reports/salu_start_c18.json

A sweep's TOML file names a recipe, the fields it changes for all runs (`set`) and, in [grid], fields with the values
they take; every combination is trained. Runs are kept below --output by name: a sweep that was killed goes on, and one
that got more seeds trains those only.
"""

import argparse
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiment import Report, about, carry_out, conduct, options, seeded, spread, start

from zoo.data import load_vision
from zoo.errors import ConfigurationError
from zoo.training import Recipe, load_recipe

FIGURES = {"val_top1": "Top-1 (%)", "val_loss": "loss", "train_loss": "training loss", "minutes": "minutes"}
"""What the table shows of a run's last epoch, and the time of the whole run."""


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line; returns the report."""
    parser = options("sweep", __doc__, seeds=1)
    parser.add_argument("sweep", nargs="?", type=Path, help="TOML file with `recipe`, `set` and [grid]")
    given = parser.parse_args(argv)
    if given.picture is not None:
        raise ConfigurationError("--picture: a sweep is a table and has no picture.")
    if (given.sweep is None) == (given.show is None):
        raise ConfigurationError("Name the TOML file of a sweep, or a report with --show.")
    report = conduct("sweep", given, lambda: run(given), lambda report, path: None)
    print(table(report["points"]))
    return report


def run(given: argparse.Namespace) -> Report:
    """Train every point of the grid with every seed."""
    sweep = read(given.sweep)
    points = []
    for values in combinations(sweep["grid"]):
        name = "_".join(label(value) for value in values.values()) or "base"
        folder = given.output / given.sweep.stem
        runs = [
            carry_out(own, given.data, folder / f"{name}_seed{own.runtime.seed}", given.device)
            for own in seeded(recipe_of(sweep, values, given.set), given.seeds)
        ]
        points.append({"values": values, "figures": figures(runs), "runs": runs})
    recipe = recipe_of(sweep, {}, given.set)
    splits = (recipe.data.train_split, recipe.data.eval_split)
    data = [about(load_vision(recipe.data.dataset, split, given.data)) for split in splits]
    return {"study": "sweep", **sweep, "data": data, "points": points, "verdict": {"sentence": best(points)}}


def read(path: Path) -> Report:
    """A sweep's file.

    Raises:
        ConfigurationError: it cannot be read, lacks a recipe, or has a field that no sweep has.
    """
    try:
        sweep = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read the sweep {path}: {error}.") from error
    wrong = sorted(sweep.keys() - {"recipe", "set", "grid"})
    lists = all(isinstance(values, list) and values for values in sweep.get("grid", {}).values())
    if wrong or not isinstance(sweep.get("recipe"), str) or not lists:
        raise ConfigurationError(f"{path}: a sweep has `recipe`, `set` and [grid] with lists; found {wrong or sweep}.")
    return {"recipe": sweep["recipe"], "set": sweep.get("set", []), "grid": sweep.get("grid", {})}


def combinations(grid: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values of a grid."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def recipe_of(sweep: Report, values: Mapping[str, Any], more: Sequence[str]) -> Recipe:
    """The sweep's recipe at one point of its grid."""
    return load_recipe(sweep["recipe"], [*sweep["set"], *(f"{k}={json.dumps(v)}" for k, v in values.items()), *more])


def label(value: Any) -> str:
    """A value as part of a folder's name."""
    text = "x".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in text)


def figures(runs: Sequence[Report]) -> Report:
    """Mean and deviation of what the runs that did not diverge reached, and how many did."""
    ends = [{**run["log"][-1], "minutes": run["seconds"] / 60} for run in runs if not run["diverged"]]
    spreads = {name: spread([end[name] for end in ends]) for name in FIGURES if ends}
    return {"runs": len(ends), "diverged": len(runs) - len(ends)} | {
        name: {"mean": mean, "std": std} for name, (mean, std) in spreads.items()
    }


def best(points: Sequence[Report]) -> str:
    """Which point reached the highest mean Top-1."""
    done = [point for point in points if point["figures"]["runs"]]
    if not done:
        return "Every run diverged."
    top = max(done, key=lambda point: point["figures"]["val_top1"]["mean"])
    return f"Highest mean Top-1: {shown(top['figures']['val_top1'])} % at {named(top['values'])}."


def named(values: Mapping[str, Any]) -> str:
    """A point of the grid in words."""
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "the recipe as it is"


def shown(figure: Report) -> str:
    """Mean and deviation as the table writes them."""
    return f"{figure['mean']:.2f}" if figure["std"] is None else f"{figure['mean']:.2f} ± {figure['std']:.2f}"


def table(points: Sequence[Report]) -> str:
    """All points as a table in Markdown."""
    heads = [*points[0]["values"], "runs", *FIGURES.values()]
    rows = [
        [*map(str, point["values"].values()), str(point["figures"]["runs"])]
        + [shown(point["figures"][name]) if name in point["figures"] else "diverged" for name in FIGURES]
        for point in points
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])


if __name__ == "__main__":
    start(main)

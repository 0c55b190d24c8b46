"""Train a recipe once for every point of a grid and every seed, and print Top-1 and loss as a table.

    python reports/sweep.py reports/salu_start_c18.toml --data data/cifar10 --report reports/salu_start_c18.json
    python reports/sweep.py --show reports/salu_start_c18.json

A sweep's TOML file names a recipe and the fields it changes for all runs (`set`). Every combination of the values in
[grid] is trained, and every entry of [variants], a name with the fields it changes. `train_images` trains on so many
training images, drawn once, and measures on `held_out` others of them in place of the test images: what chooses a
default has not seen those. Runs are kept below --output by name: a sweep that was killed goes on, and one that got
more seeds trains those only. Two processes share one with --part 1/2 and --part 2/2; a call without it then writes
the report.
"""

import argparse
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment import Report, about, carry_out, conduct, options, seeded, shuffled, spread, start, write_part

from zoo.data import load_vision
from zoo.errors import ConfigurationError
from zoo.training import load_recipe

FIGURES = {"val_top1": "Top-1 (%)", "val_loss": "loss", "train_loss": "training loss", "minutes": "minutes"}
"""What the table shows of a run's last epoch, and the time of the whole run."""
VARIANT = "variant"


@dataclass(frozen=True, eq=False)
class Point:
    """One setting of a sweep: a folder's name, what its row of the table says, and the recipe's fields it changes."""

    name: str
    values: Mapping[str, Any]
    changes: Sequence[str]


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line; returns the report."""
    parser = options("sweep", __doc__, seeds=1)
    parser.add_argument("sweep", nargs="?", type=Path, help="TOML file with `recipe`, `set`, [grid] and [variants]")
    parser.add_argument("--part", metavar="I/N", help="train every N-th point from the I-th on, and write no report")
    given = parser.parse_args(argv)
    if given.picture is not None:
        raise ConfigurationError("--picture: a sweep is a table and has no picture.")
    if (given.sweep is None) == (given.show is None):
        raise ConfigurationError("Name the TOML file of a sweep, or a report with --show.")
    if given.part is not None:
        if given.report is not None or given.show is not None:
            raise ConfigurationError("--part trains a part of the points; the report needs a call without it.")
        train_points(read(given.sweep), given, part_of(given.part))
        return {}
    report = conduct("sweep", given, lambda: run(given), lambda report, path: None)
    print(table(report["points"]))
    return report


def part_of(text: str) -> slice:
    """Every N-th from the I-th on, of "I/N".

    Raises:
        ConfigurationError: `text` is not of that form with 1 <= I <= N.
    """
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise ConfigurationError(f"--part: give I/N with 1 <= I <= N, such as 1/2; found {text!r}.")
    return slice(int(first) - 1, None, int(count))


def run(given: argparse.Namespace) -> Report:
    """Train what is missing of every point and seed; returns the report."""
    sweep = read(given.sweep)
    runs = train_points(sweep, given, slice(None))
    points = [{"values": dict(p.values), "figures": figures(found), "runs": found} for p, found in runs.items()]
    recipe = load_recipe(sweep["recipe"], [*sweep["set"], *given.set])
    whole, test = (
        load_vision(recipe.data.dataset, s, given.data) for s in (recipe.data.train_split, recipe.data.eval_split)
    )
    used, held = sweep["train_images"], sweep["held_out"]
    data = [about(whole, used), about(whole, held)] if used else [about(whole), about(test)]
    return {"study": "sweep", **sweep, "data": data, "points": points, "verdict": {"sentence": best(points)}}


def train_points(sweep: Report, given: argparse.Namespace, part: slice) -> dict[Point, list[Report]]:
    """Train `part` of the points with every seed; the runs of each."""
    folder = given.output / given.sweep.stem
    data = given.data if not sweep["train_images"] else write_data(sweep, given, folder / "data")
    runs = {}
    for point in points_of(sweep)[part]:
        recipe = load_recipe(sweep["recipe"], [*sweep["set"], *point.changes, *given.set])
        runs[point] = [
            carry_out(own, data, folder / f"{point.name}_seed{own.runtime.seed}", given.device)
            for own in seeded(recipe, given.seeds)
        ]
    return runs


def write_data(sweep: Report, given: argparse.Namespace, folder: Path) -> Path:
    """Write the part of the training images that is trained on, and the other that is measured on, as data of its own.

    Raises:
        ConfigurationError: there are too few training images.
    """
    recipe = load_recipe(sweep["recipe"], [*sweep["set"], *given.set])
    whole = load_vision(recipe.data.dataset, recipe.data.train_split, given.data)
    used, held = sweep["train_images"], sweep["held_out"]
    if used + held > len(whole):
        raise ConfigurationError(f"{given.sweep}: {used} images and {held} held out; found {len(whole)} to train on.")
    order = shuffled(len(whole), 0)
    write_part(folder / "train.parquet", whole, order[:used])
    write_part(folder / "test.parquet", whole, order[len(order) - held :])
    return folder


def read(path: Path) -> Report:
    """A sweep's file.

    Raises:
        ConfigurationError: it cannot be read, lacks a recipe, or has a field that no sweep has.
    """
    try:
        sweep = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read the sweep {path}: {error}.") from error
    default: Report = {"set": [], "grid": {}, "variants": {}, "train_images": 0, "held_out": 0}
    wrong = sorted(sweep.keys() - {"recipe", *default})
    found = default | sweep
    lists = [*found["grid"].values(), *found["variants"].values()]
    if wrong or not isinstance(found.get("recipe"), str) or not all(isinstance(v, list) for v in lists):
        raise ConfigurationError(
            f"{path}: a sweep has `recipe`, `set`, [grid] and [variants] with lists; found {wrong or sweep}."
        )
    if any(not values for values in found["grid"].values()) or bool(found["train_images"]) != bool(found["held_out"]):
        raise ConfigurationError(f"{path}: give every field of [grid] a value, and train_images with held_out.")
    return found


def points_of(sweep: Report) -> list[Point]:
    """Every combination of the values of the grid, then every variant; the recipe as it is where there is neither."""
    grid, points = sweep["grid"], []
    if grid or not sweep["variants"]:
        for combination in itertools.product(*grid.values()):
            values = dict(zip(grid, combination, strict=True))
            changes = [f"{field}={json.dumps(value)}" for field, value in values.items()]
            points.append(Point("_".join(map(label, combination)) or "base", values, changes))
    return points + [Point(label(name), {VARIANT: name}, changes) for name, changes in sweep["variants"].items()]


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
    fields = list(dict.fromkeys(field for point in points for field in point["values"]))
    heads = [*fields, "runs", *FIGURES.values()]
    rows = [
        [*(str(point["values"].get(field, "")) for field in fields), str(point["figures"]["runs"])]
        + [shown(point["figures"][name]) if name in point["figures"] else "diverged" for name in FIGURES]
        for point in points
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])


if __name__ == "__main__":
    start(main)

"""Finished runs side by side: mean and standard deviation over seeds, one row for everything else that differs."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from zoo.cards.markdown import flat
from zoo.cards.results import without_place
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.weights.run_folder import SUMMARY_FILE
from zoo.weights.tag import read_json

SEED = "runtime.seed"
# Words about a recipe, not part of it; and how often a run saves or looks at itself.
_NOT_COMPARED = ("description", "source", SEED, "runtime.checkpoint_minutes", "runtime.eval_every")


@dataclass(frozen=True)
class Run:
    """One finished run of `zoo train` or `zoo finetune`.

    Args:
        seed: its seed.
        scores: metric to value, times 100; of the weights the run kept, at its end.
        seconds: wall time.
        finished: UTC, ISO 8601.
        device: what it ran on.
        versions: Python and libraries.
    """

    seed: int
    scores: dict[str, float]
    seconds: float
    finished: str
    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Args:
        values: the recipe fields that tell the groups of a comparison apart.
        runs: by seed.
    """

    values: dict[str, Any]
    runs: tuple[Run, ...] = field(repr=False)

    @property
    def mean(self) -> dict[str, float]:
        """Metric to the mean over the runs."""
        return {name: mean(run.scores[name] for run in self.runs) for name in self.runs[0].scores}

    @property
    def std(self) -> dict[str, float | None]:
        """Metric to the sample standard deviation, sqrt(Σ(x - mean)² / (n - 1)); None for a single run."""
        several = len(self.runs) > 1
        return {name: stdev(run.scores[name] for run in self.runs) if several else None for name in self.runs[0].scores}


@dataclass(frozen=True)
class Comparison:
    """Groups of runs.

    Args:
        fixed: recipe fields that all runs share.
        varied: names of those that differ.
        groups: one per combination of the varied ones that occurs, in the order of the runs given.
    """

    fixed: dict[str, Any]
    varied: tuple[str, ...]
    groups: tuple[Group, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        groups = [
            {"values": g.values, "mean": g.mean, "std": g.std, "runs": [asdict(run) for run in g.runs]}
            for g in self.groups
        ]
        return {"fixed": self.fixed, "varied": list(self.varied), "groups": groups}


def compare_runs(folders: Iterable[str | Path]) -> Comparison:
    """Read the summaries of finished runs and group those that differ only in their seed.

    Args:
        folders: the output folders of `zoo train` and `zoo finetune`.

    Raises:
        WeightsNotFoundError: a folder has no summary: the run is not finished, or it is another folder.
        WeightsCorruptError: a summary is not JSON.
        ConfigurationError: there is no folder, a summary lacks a field, or two runs are the same, seed included.
    """
    read = [_read(Path(folder)) for folder in folders]
    if not read:
        raise ConfigurationError("There are no runs to compare; give the folders of at least one.")
    names = list(dict.fromkeys(name for recipe, _ in read for name in recipe))
    varied = tuple(name for name in names if any(recipe.get(name) != read[0][0].get(name) for recipe, _ in read))
    groups: dict[tuple[str, ...], list[tuple[dict[str, Any], Run]]] = {}
    for recipe, run in read:
        groups.setdefault(tuple(repr(recipe.get(name)) for name in varied), []).append((recipe, run))
    return Comparison(
        {name: read[0][0].get(name) for name in names if name not in varied},
        varied,
        tuple(_group({name: members[0][0].get(name) for name in varied}, members) for members in groups.values()),
    )


def _group(values: dict[str, Any], members: list[tuple[dict[str, Any], Run]]) -> Group:
    runs = sorted((run for _, run in members), key=lambda run: run.seed)
    twice = [seed for seed, count in Counter(run.seed for run in runs).items() if count > 1]
    if twice:
        what = ", ".join(f"{name} {value}" for name, value in values.items()) or "the same recipe"
        raise ConfigurationError(f"{what}: seed {twice[0]} was given more than once; give each run one time.")
    return Group(values, tuple(runs))


def _read(folder: Path) -> tuple[dict[str, Any], Run]:
    """A run's recipe, flat and without what is not compared, and what came of it."""
    file = folder / SUMMARY_FILE
    if not file.is_file():
        raise WeightsNotFoundError(
            f"{file} is missing: {folder} is not the folder of a finished run of `zoo train` or `zoo finetune`."
        )
    summary = read_json(file)
    try:
        recipe = {name: without_place(value) for name, value in flat(summary["recipe"])}
        # `zoo train` keeps what it ran on together, `zoo finetune` at the top.
        place = summary.get("environment", summary)
        seconds = summary["wall_clock_s"] if "wall_clock_s" in summary else summary["seconds"]
        run = Run(
            seed=recipe[SEED],
            scores=_scores(summary),
            seconds=round(seconds),
            finished=summary["finished"],
            device=place["device"],
            versions=place["versions"],
        )
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file}: {error} is missing or of another form; was it written by this zoo?"
        ) from error
    return {name: value for name, value in recipe.items() if name not in _NOT_COMPARED}, run


def _scores(summary: Mapping[str, Any]) -> dict[str, float]:
    results = summary["results"]
    if "metrics" in summary:
        return {name: 100 * results[name] for name in summary["metrics"]}
    return {"top1": results["val_top1_ema" if summary["weights"] == "ema" else "val_top1"]}

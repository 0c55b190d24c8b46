"""From the runs of the plasticity experiment to its report: curves over the seeds, summary, verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.studies.numbers import spread
from zoo.studies.plasticity.network import STABILISERS
from zoo.studies.plasticity.verdict import judge, movement
from zoo.training import Recipe

PAPER = {
    "source": "arXiv 2606.02927, section 1, figure 1 and appendix A",
    "experiment": "Conv(32)-Conv(64)-FC(128)-FC(10) with PReLU on CIFAR-10, BatchNorm before each PReLU where there is "
    "any; SGD, momentum 0.9, learning rate 0.01, 50 epochs, 5 seeds; the first PReLU's slope after every epoch",
    "observations": [
        "with BatchNorm the slope collapses to a narrow range after a few epochs, then recovers in part and oscillates",
        "without it the slope drifts throughout, in uncontrolled growth",
        "under SALU it stays adaptive and stable",
    ],
}
OURS = (
    "3x3 kernels of stride 2 instead of any pooling, one slope per layer, batch size, constant learning rate, no "
    "augmentation, no weight decay, SALU's (a, b) at ten times the learning rate, number of epochs where it is not 50"
)


def make_report(recipe: Recipe, runs: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the table and the picture are made of.

    Args:
        recipe: the study's; stabiliser and seed of a run are in the run.
        runs: what `carry_out` returned, each with its `stabiliser`.
        data: what `zoo.studies.images.about` says.

    Returns:
        `study`, `paper`, `ours`, `recipe`, `data`, `runs`, `summary` (per stabiliser) and `verdict`.
    """
    return {
        "study": "plasticity",
        "paper": PAPER,
        "ours": OURS,
        "recipe": recipe.to_dict(),
        "data": dict(data),
        "summary": {name: _summary(runs_of(runs, name)) for name in STABILISERS},
        "verdict": judge(runs),
        "runs": [_row(run) for run in runs],
    }


def runs_of(runs: Sequence[Mapping[str, Any]], stabiliser: str) -> list[Mapping[str, Any]]:
    """The runs with one stabiliser that reached their end."""
    return [run for run in runs if run["stabiliser"] == stabiliser and not run["diverged"]]


def curve(runs: Sequence[Mapping[str, Any]], layer: int = 0) -> list[tuple[float, float | None]]:
    """Mean and standard deviation over the runs of one layer's slope, at the start and after every epoch."""
    slopes = [[row["slopes"][layer] for row in run["watched"]] for run in runs]
    return [spread(values) for values in zip(*slopes, strict=True)]


def _row(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run as the report keeps it."""
    kept = ("stabiliser", "seed", "diverged", "seconds", "finished", "environment", "log")
    return {**{key: run[key] for key in kept}, "watched": run["watched"]}


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means and deviations of what the table shows; empty where every run diverged."""
    if not runs:
        return {"runs": 0}
    figures = [
        {**movement(run), "top1": run["log"][-1]["val_top1"], "train_loss": run["log"][-1]["train_loss"]}
        for run in runs
    ]
    values = {name: spread([figure[name] for figure in figures]) for name in figures[0]}
    return {"runs": len(runs)} | {name: {"mean": mean, "std": std} for name, (mean, std) in values.items()}

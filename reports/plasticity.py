"""PReLU's slope behind BatchNorm, behind nothing and behind SALU (arXiv 2606.02927, figure 1 and appendix A).

    python reports/plasticity.py --set schedule.epochs=25 --report plasticity.json --picture plasticity.png
    python reports/plasticity.py --show reports/plasticity.json

The network is the paper's: Conv(32)-Conv(64)-FC(128)-FC(10) with PReLU on CIFAR-10. Ours: 3×3 kernels of stride 2, no
pooling, one slope per layer, and what plasticity.toml says is ours.

The verdict, with s_e the first PReLU's slope after epoch e of E, and h = E // 2 (all ours; the paper shows curves):

- early change |s_h − s_0|, late change |s_E − s_h|, late range max − min over s_h..s_E.
- "BatchNorm holds the slope in a narrow range": its late range is below that under SALU.
- "without stabiliser the slope drifts": its late change is above that under SALU.
- "under SALU it is adaptive and stable": |s_E − s_0| is above that under BatchNorm, and late change below early change.

Means over the seeds closer than two standard errors, sqrt(s₁²/n₁ + s₂²/n₂), are undecided, and so are single runs.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from experiment import Report, about, carry_out, conduct, options, seeded, spread, start, written
from matplotlib.figure import Figure
from torch import Tensor, nn

from zoo.activations import SALU
from zoo.data import load_vision
from zoo.models import MODELS
from zoo.training import Recipe, load_recipe

NAME = "prelu_net"
STABILISERS = {  # colour, what stands behind a convolution, what behind a linear layer
    "batchnorm": ("#d1495b", nn.BatchNorm2d, nn.BatchNorm1d),
    "none": ("#66717e", nn.Identity, nn.Identity),
    "salu": ("#2f6690", SALU, SALU),
}


class PReLUNet(nn.Module):
    """Four layers for images (n, 3, 32, 32), three of them followed by stabiliser and PReLU; slopes start at 0.25.

    `course` (epochs + 1, 3) keeps the slopes at the start and after each epoch; checkpoints hold it as well.
    """

    course: Tensor

    def __init__(self, stabiliser: str, epochs: int, num_classes: int) -> None:
        super().__init__()
        _, plane, vector = STABILISERS[stabiliser]
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, stride=2, padding=1), plane(32), nn.PReLU()),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1), plane(64), nn.PReLU()),
            *(nn.Flatten(), nn.Linear(64 * 8 * 8, 128), vector(128), nn.PReLU()),
            nn.Linear(128, num_classes),
        )
        self.register_buffer("course", torch.full((epochs + 1, 3), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits (n, classes)."""
        return self.layers(x)  # type: ignore[no-any-return]

    def note(self, epoch: int) -> None:
        """Keep the slopes as those after `epoch` epochs."""
        self.course[epoch] = torch.cat([layer.weight.detach() for layer in self.layers if isinstance(layer, nn.PReLU)])


built: list[PReLUNet] = []
"""The network in training: `train` builds it by name and tells its hook of the progress only."""


def build(spec: Any, parts: Any, arguments: dict[str, Any]) -> PReLUNet:
    """What the zoo calls for the model `prelu_net`."""
    built[:] = [PReLUNet(arguments["stabiliser"], arguments["epochs"], arguments["num_classes"])]
    return built[0]


def register() -> None:
    """Make the network known to `train` by its name."""
    if NAME not in MODELS:
        row = replace(MODELS.get("salunet_c18_cifar"), name=NAME, build=build, act="prelu", classifier="layers.10")
        MODELS.add(NAME, replace(row, first_conv="layers.0", options=frozenset({"stabiliser", "epochs"})))


def main(argv: Sequence[str] | None = None) -> Report:
    """The command line; returns the report."""
    given = options("plasticity", __doc__, seeds=5).parse_args(argv)
    register()
    recipe = load_recipe(Path(__file__).with_suffix(".toml"), given.set)
    return conduct("plasticity", given, lambda: run(recipe, given), draw)


def run(recipe: Recipe, given: argparse.Namespace) -> Report:
    """Train with each stabiliser and each seed."""
    runs = []
    for one in seeded(recipe, given.seeds):
        for stabiliser in STABILISERS:
            model = replace(one.model, args={"stabiliser": stabiliser, "epochs": one.schedule.epochs})
            own = replace(one, model=model)
            torch.compiler.reset()  # the networks share their class, and torch.compile gives up after 8 of a kind
            found = carry_out(
                own, given.data, given.output / f"{stabiliser}_seed{one.runtime.seed}", given.device, course, note
            )
            runs.append({"stabiliser": stabiliser, "watched": [], **found})
    splits = {"train": recipe.data.train_split, "evaluation": recipe.data.eval_split}
    return {
        "study": "plasticity",
        "about": __doc__,
        "recipe": recipe.to_dict(),
        "data": {use: about(load_vision(recipe.data.dataset, name, given.data)) for use, name in splits.items()},
        "summary": {name: summary(finished(runs, name)) for name in STABILISERS},
        "verdict": judge(runs),
        "runs": runs,
    }


def note(progress: Any) -> None:
    """After each step: the last one of an epoch leaves its slopes."""
    built[0].note(progress.epoch + 1)


def course(model: PReLUNet) -> Report:
    """The slopes of a finished run."""
    return {"watched": [{"epoch": epoch, "slopes": slopes} for epoch, slopes in enumerate(model.course.tolist())]}


def finished(runs: Sequence[Report], stabiliser: str) -> list[Report]:
    """The runs with one stabiliser that reached their end."""
    return [run for run in runs if run["stabiliser"] == stabiliser and not run["diverged"]]


def movement(run: Report) -> dict[str, float]:
    """How the first slope of one run moved."""
    slopes = [row["slopes"][0] for row in run["watched"]]
    half = (len(slopes) - 1) // 2
    return {
        "final": slopes[-1],
        "total_change": abs(slopes[-1] - slopes[0]),
        "early_change": abs(slopes[half] - slopes[0]),
        "late_change": abs(slopes[-1] - slopes[half]),
        "late_range": max(slopes[half:]) - min(slopes[half:]),
    }


def summary(runs: Sequence[Report]) -> Report:
    """Means and deviations; only the number of runs where every run diverged."""
    ends = [{"top1": run["log"][-1]["val_top1"], "train_loss": run["log"][-1]["train_loss"]} for run in runs]
    rows = [{**movement(run), **end} for run, end in zip(runs, ends, strict=True)]
    spreads = {name: spread([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    return {"runs": len(runs)} | {name: {"mean": mean, "std": std} for name, (mean, std) in spreads.items()}


def judge(runs: Sequence[Report]) -> Report:
    """Judge the three observations; a diverged run counts for nothing but is named."""
    moved = {name: [movement(run) for run in finished(runs, name)] for name in STABILISERS}
    lost = [f"{run['stabiliser']} (seed {run['seed']})" for run in runs if run["diverged"]]
    ending = f" Diverged and left out: {', '.join(lost)}." if lost else ""
    if not all(moved.values()):
        missing = ", ".join(name for name, found in moved.items() if not found)
        return {"points": [], "sentence": f"No verdict: no finished run of {missing}.{ending}"}
    points = judge_points(
        {f"{name} {key}": [m[key] for m in found] for name, found in moved.items() for key in found[0]}
    )
    head = f"Of the paper's three observations {[p['answer'] for p in points].count('holds')} held here"
    body = "; ".join(f"{point['claim']}: {point['answer']} ({point['found']})" for point in points)
    return {"points": points, "sentence": f"{head}. {body}.{ending}"}


def judge_points(values: Mapping[str, list[float]]) -> list[dict[str, str]]:
    """The three observations, from the values over the seeds of each "stabiliser figure"."""
    adapts = below("batchnorm total_change", "salu total_change", values)
    settles = below("salu late_change", "salu early_change", values)
    points = [
        (
            "BatchNorm holds the slope in a narrower range than SALU does",
            below("batchnorm late_range", "salu late_range", values),
            "range in the second half {batchnorm late_range} behind BatchNorm, {salu late_range} behind SALU",
        ),
        (
            "without a stabiliser the slope drifts further than under SALU",
            below("salu late_change", "none late_change", values),
            "change in the second half {none late_change} behind nothing, {salu late_change} behind SALU",
        ),
        (
            "under SALU the slope adapts more than behind BatchNorm, and settles",
            next((answer for answer in ("does not hold", "undecided") if answer in (adapts, settles)), "holds"),
            "change over the whole training {salu total_change} behind SALU, {batchnorm total_change} behind BatchNorm"
            "; behind SALU {salu early_change} in the first half, {salu late_change} in the second",
        ),
    ]
    shown = {key: written(found, 3) for key, found in values.items()}
    return [{"claim": claim, "answer": answer, "found": found.format_map(shown)} for claim, answer, found in points]


def below(first: str, second: str, values: Mapping[str, list[float]]) -> str:
    """Whether the mean of `first` lies below that of `second`, by the rule above."""
    (mean_1, std_1), (mean_2, std_2) = spread(values[first]), spread(values[second])
    if std_1 is None or std_2 is None:
        return "undecided"
    error = math.sqrt(std_1**2 / len(values[first]) + std_2**2 / len(values[second]))
    if abs(mean_1 - mean_2) <= 2 * error:
        return "undecided"
    return "holds" if mean_1 < mean_2 else "does not hold"


def draw(report: Report, path: Path) -> None:
    """Each layer's slope over the epochs, mean and band over the seeds; the first layer is the paper's figure 1."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for layer, axis in enumerate(figure.subplots(1, 3, width_ratios=(2, 1, 1))):
        for name, (colour, _, _) in STABILISERS.items():
            slopes = [[row["slopes"][layer] for row in run["watched"]] for run in finished(report["runs"], name)]
            points = [spread(values) for values in zip(*slopes, strict=True)]
            axis.plot([mean for mean, _ in points], color=colour, label=name)
            edges = [[mean + side * (std or 0) for mean, std in points] for side in (-1, 1)]
            axis.fill_between(range(len(points)), *edges, color=colour, alpha=0.2, lw=0)
        axis.set(title=f"PReLU {layer + 1}", xlabel="epochs", ylabel="slope for negative inputs")
        axis.grid(alpha=0.25)
    axis.legend(frameon=False)
    recipe, images, seeds = report["recipe"], report["data"]["train"]["images"], {r["seed"] for r in report["runs"]}
    title = f"Slope of PReLU in a 4-layer CNN: {images:,} images of {recipe['data']['dataset']}"
    epochs = f"{recipe['schedule']['epochs']} epochs, {len(seeds)} seeds, mean ± standard deviation"
    figure.suptitle(f"{title}, {epochs}")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    start(main)

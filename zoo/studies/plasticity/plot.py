"""The picture of the plasticity experiment: the first PReLU's slope over the epochs, mean and band over the seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.analysis._drawing import write_png
from zoo.studies.plasticity.report import curve, runs_of

STYLES = {
    "batchnorm": ("BatchNorm", "#d1495b"),
    "none": ("no stabiliser", "#66717e"),
    "salu": ("SALU", "#2f6690"),
}


def plot_plasticity(report: Mapping[str, Any], path: str | Path) -> Path:
    """Draw each layer's slope over the epochs; the first layer is the paper's figure 1.

    Args:
        report: of `make_report`, or read from its file.
        path: a .png file.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(2, 1, 1))
    titles = ("first PReLU (the paper's figure 1)", "second PReLU", "third PReLU")
    for layer, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        for stabiliser, (label, colour) in STYLES.items():
            runs = runs_of(report["runs"], stabiliser)
            if runs:
                _draw(axis, curve(runs, layer), label, colour)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("epochs")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("slope for negative inputs (no unit)")
    axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(_title(report), fontsize=10)
    return write_png(figure, path)


def _draw(axis: Any, points: list[tuple[float, float | None]], label: str, colour: str) -> None:
    epochs, means = range(len(points)), [mean for mean, _ in points]
    axis.plot(epochs, means, color=colour, label=label, lw=1.6)
    if all(std is not None for _, std in points):
        low = [mean - (std or 0.0) for mean, std in points]
        high = [mean + (std or 0.0) for mean, std in points]
        axis.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)


def _title(report: Mapping[str, Any]) -> str:
    recipe, seeds = report["recipe"], {run["seed"] for run in report["runs"]}
    images = report["data"]["train"]["images"]
    band = "mean ± standard deviation" if len(seeds) > 1 else "one run, no band"
    return (
        f"Slope of PReLU in a 4-layer CNN on {recipe['data']['dataset']} ({images:,} images, "
        f"{recipe['schedule']['epochs']} epochs, batches of {recipe['data']['batch_size']}, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}: {band})"
    )

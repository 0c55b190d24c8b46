"""Pictures of what the analysis found, for cards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.analysis.coefficients import LayerCoefficients
from zoo.plots import write_png


def plot_coefficients(layers: Sequence[LayerCoefficients], path: str | Path, title: str = "") -> Path:
    """Draw the range of κ_ve and κ_ho in each layer: all values, the middle 90 %, the median.

    Args:
        layers: from `coefficients`.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the file cannot be written.
    """
    return write_png(draw_coefficients(layers, title), path)


def draw_coefficients(layers: Sequence[LayerCoefficients], title: str = "") -> Any:
    """The figure of `plot_coefficients`."""
    from matplotlib.figure import Figure

    height = 1.6 + 0.32 * len(layers)
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    places = range(len(layers))
    for axis, name, symbol in zip(axes, ("vertical", "horizontal"), ("κ_ve, height", "κ_ho, steepness"), strict=True):
        found = [getattr(layer, name) for layer in layers]
        axis.hlines(places, [f["min"] for f in found], [f["max"] for f in found], color="#9db4c0", lw=2, label="all")
        axis.hlines(places, [f["p5"] for f in found], [f["p95"] for f in found], color="#2f6690", lw=6, label="90 %")
        axis.plot([f["median"] for f in found], places, "o", color="#d1495b", ms=5, label="median")
        axis.axvline(1, color="#888", lw=0.8, ls=":")
        axis.set_xlabel(symbol)
        axis.grid(axis="x", alpha=0.25)
    axes[0].set_yticks(list(places), [layer.layer for layer in layers], fontsize=8)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure

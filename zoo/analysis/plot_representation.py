"""Effective rank, isotropy, moments and spectrum by stage, beside those of a baseline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.analysis.representation import StageRepresentation
from zoo.errors import ConfigurationError
from zoo.plots import BASELINE_COLOR, SALU_COLOR, drawing, new_figure, write_png

Found = Mapping[str, Sequence[StageRepresentation]]
_PANELS = (
    ("effective_rank", "effective rank", "linear"),
    ("isotropy", "isotropy", "linear"),
    ("variance", "variance", "log"),
    ("skewness", "skewness", "linear"),
    ("excess_kurtosis", "excess kurtosis", "symlog"),
)


def plot_representation(found: Found, path: str | Path, title: str = "") -> Path:
    """Draw the figures of each stage, and the spectrum of what the classifier receives.

    Args:
        found: name of a model to its `representation`; the first is the one looked at, the second its baseline.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: there is nothing to draw.
        OutputError: the file cannot be written.
    """
    with drawing():
        return write_png(draw_representation(found, title), path)


def draw_representation(found: Found, title: str = "") -> Any:
    """The figure of `plot_representation`; to be called, and saved, inside `drawing()`."""
    if not any(found.values()):
        raise ConfigurationError("plot_representation() was given no stage; give those of representation().")
    figure = new_figure(9.6, 5.6)
    axes = figure.subplots(2, 3).flatten()
    stages = list(dict.fromkeys(entry.stage for entries in found.values() for entry in entries))
    for axis, (name, label, scale) in zip(axes, _PANELS, strict=False):
        for (model, entries), color, marker in zip(found.items(), (SALU_COLOR, BASELINE_COLOR), "os", strict=False):
            places = [stages.index(entry.stage) for entry in entries]
            axis.plot(places, [getattr(e, name) for e in entries], f"{marker}-", color=color, lw=1, ms=4.5, label=model)
        axis.set_title(label)
        axis.set_yscale(scale)
        if scale == "linear":
            axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        if name in ("skewness", "excess_kurtosis"):
            axis.axhline(0, color="#808080", lw=0.9, ls="--")
        axis.set_xticks(range(len(stages)), stages, fontsize=7, rotation=45 if len(stages) > 7 else 0)
    _spectra(axes[5], found)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _spectra(axis: Any, found: Found) -> None:
    """Falling shares p of the last stage: how fast they fall is what rank and isotropy sum up."""
    for entries, color in zip(found.values(), (SALU_COLOR, BASELINE_COLOR), strict=False):
        shares = [share for share in entries[-1].spectrum if share > 1e-9] if entries else []
        axis.plot(range(1, len(shares) + 1), shares, color=color, lw=1.4)
    last = next(entries[-1].stage for entries in found.values() if entries)
    axis.set_title(f"spectrum p, {last}")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("eigenvalue number", fontsize=8)

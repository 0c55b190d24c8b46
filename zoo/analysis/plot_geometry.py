"""S and W of every layer over the depth of the network, as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.activations.galu import GALU
from zoo.activations.salu import SALU
from zoo.activations.swalu import SWALU
from zoo.analysis.geometry import LayerGeometry
from zoo.analysis.stages import DOWNSAMPLING
from zoo.errors import ConfigurationError
from zoo.plots import GATE_COLOR, SALU_COLOR, drawing, log_axis, new_figure, stage_bands, write_png

MOST_NAMES = 60
"""With more layers than this their names would overlap; then they are numbered."""


def plot_geometry(layers: Sequence[LayerGeometry], path: str | Path, title: str = "") -> Path:
    """Draw S and W of each layer over depth, both on logarithmic axes, with the stages marked.

    Args:
        layers: from `geometry`.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: there is no layer.
        OutputError: the file cannot be written.
    """
    with drawing():
        return write_png(draw_geometry(layers, title), path)


def draw_geometry(layers: Sequence[LayerGeometry], title: str = "") -> Any:
    """The figure of `plot_geometry`; to be called, and saved, inside `drawing()`."""
    if not layers:
        raise ConfigurationError("plot_geometry() was given no layer; give those of geometry(model).")
    figure = new_figure(9.6, 5.6)
    top, bottom = figure.subplots(2, 1, sharex=True)
    stages = bands([layer.stage for layer in layers])
    for axis, name, label in ((top, "saturation", "S = √(a/b)"), (bottom, "width", "W = 1/√(ab)")):
        stage_bands(axis, stages, names=axis is top)
        _draw(axis, layers, name)
        log_axis(axis, [getattr(layer, name) for layer in layers])
        axis.set_ylabel(label)
        axis.grid(axis="x", visible=False)
    name_layers(bottom, [layer.layer for layer in layers])
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def name_layers(axis: Any, names: Sequence[str]) -> None:
    """Write the layers below x = 0, 1, 2, ... where there is room for their names."""
    if len(names) <= MOST_NAMES:
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    else:
        axis.set_xlabel("layer, in the order of the network's modules")


def bands(stages: Sequence[str]) -> list[str]:
    """The stage around each layer: a shortcut's downsampling belongs to the stage it stands in."""
    around = list(stages)
    for i, stage in enumerate(stages):
        if stage == DOWNSAMPLING:
            around[i] = around[i - 1] if i else next((s for s in stages if s != DOWNSAMPLING), DOWNSAMPLING)
    return around


def _draw(axis: Any, layers: Sequence[LayerGeometry], name: str) -> None:
    """One line for each kind, triangles for downsampling, and a dashed line where each kind starts."""
    starts = {kind.__name__: dict(zip(("a", "b"), kind.start, strict=True)) for kind in (SALU, SWALU, GALU)}
    for kind in dict.fromkeys(layer.kind for layer in layers):
        color = SALU_COLOR if kind == "SALU" else GATE_COLOR
        at = [(i, getattr(layer, name)) for i, layer in enumerate(layers) if layer.kind == kind]
        a, b = starts[kind]["a"], starts[kind]["b"]
        start = (a / b) ** 0.5 if name == "saturation" else (a * b) ** -0.5
        axis.axhline(start, color=color, lw=0.9, ls="--", alpha=0.7, zorder=1)
        main = [(i, value) for i, value in at if layers[i].stage != DOWNSAMPLING]
        side = [(i, value) for i, value in at if layers[i].stage == DOWNSAMPLING]
        marker = "o" if kind == "SALU" else "s"
        if main:
            axis.plot(*zip(*main, strict=True), marker, ls="-", lw=0.8, ms=4.5, color=color, label=kind)
        if side:
            axis.plot(*zip(*side, strict=True), "^", ms=6.5, mfc="none", color=color, label=f"{kind}, downsampling")
    axis.plot([], [], color="#808080", lw=0.9, ls="--", label="usual start")

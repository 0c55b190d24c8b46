"""Plots of signal propagation: slopes and their bounds, variance maps, and the second moment over depth."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from zoo.activations.algebra import variance_map
from zoo.analysis.geometry import LayerGeometry
from zoo.analysis.lipschitz import LayerBound
from zoo.analysis.plot_curves import MOST_NAMES as MOST_CURVES
from zoo.analysis.plot_geometry import bands, name_layers
from zoo.analysis.propagation import Arrival
from zoo.analysis.signals import LayerSignal
from zoo.analysis.stages import DOWNSAMPLING
from zoo.analysis.variance_map import VarianceMap
from zoo.errors import ConfigurationError
from zoo.plots import (
    BASELINE_COLOR,
    GATE_COLOR,
    SALU_COLOR,
    THIRD_COLOR,
    depth_colors,
    drawing,
    log_axis,
    new_figure,
    short_names,
    stage_bands,
    write_png,
)


def plot_bounds(bounds: Sequence[LayerBound], path: str | Path, title: str = "") -> Path:
    """Draw for each layer the paper's bound, the largest slope there can be, and what was measured.

    Args:
        bounds: from `layer_bounds`.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: there is no layer.
        OutputError: the file cannot be written.
    """
    with drawing():
        return write_png(draw_bounds(bounds, title), path)


def draw_bounds(bounds: Sequence[LayerBound], title: str = "") -> Any:
    """The figure of `plot_bounds`; to be called, and saved, inside `drawing()`."""
    if not bounds:
        raise ConfigurationError("plot_bounds() was given no layer; give those of layer_bounds().")
    figure = new_figure(9.6, 4.6)
    axis = figure.subplots()
    rows: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("paper", "paper's bound", {"marker": "_", "color": BASELINE_COLOR, "ms": 9, "mew": 1.6}),
        ("exact", "largest slope possible", {"marker": "_", "color": "#808080", "ms": 9, "mew": 1.6}),
        ("peak", "largest slope measured", {"marker": "o", "color": GATE_COLOR, "ms": 4.5}),
        ("gain", "gain measured", {"marker": "D", "color": SALU_COLOR, "ms": 4}),
    )
    everything: list[float] = []
    for name, label, style in rows:
        points = [(i, getattr(bound, name)) for i, bound in enumerate(bounds) if getattr(bound, name) is not None]
        if points:
            axis.plot(*zip(*points, strict=True), ls="", label=label, **style)
            everything += [value for _, value in points]
    axis.axhline(1, color="#808080", lw=0.9, ls="--")
    _depth_axis(axis, bounds)
    log_axis(axis, everything)
    axis.set_ylabel("change of output / change of input")
    figure.legend(loc="outside lower center", ncols=4)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def plot_variance_maps(
    layers: Sequence[LayerGeometry], maps: Sequence[VarianceMap], path: str | Path, title: str = ""
) -> Path:
    """Draw V(q)/q of each SALU, by stage: above 1 the second moment grows, and where it crosses 1 is the fixed point.

    Args:
        layers: from `geometry`.
        maps: from `propagate`.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: there is no map.
        OutputError: the file cannot be written.
    """
    with drawing():
        return write_png(draw_variance_maps(layers, maps, title), path)


def draw_variance_maps(layers: Sequence[LayerGeometry], maps: Sequence[VarianceMap], title: str = "") -> Any:
    """The figure of `plot_variance_maps`; to be called, and saved, inside `drawing()`."""
    if not maps:
        raise ConfigurationError("plot_variance_maps() was given no map; give those of propagate().")
    known = {layer.layer: layer for layer in layers}
    stages = list(dict.fromkeys(sorted((known[m.layer].stage for m in maps), key=lambda s: s == DOWNSAMPLING)))
    rows = math.ceil(len(stages) / 4)
    figure = new_figure(9.6, 0.6 + 2.4 * rows)
    axes = figure.subplots(rows, 4, squeeze=False, sharex=True, sharey=True).flatten()
    for axis, stage in zip(axes, stages, strict=False):
        _map_panel(axis, [(known[m.layer], m) for m in maps if known[m.layer].stage == stage])
        axis.set_title(stage, fontsize=9)
    for axis in axes[len(stages) :]:
        axis.set_visible(False)
    figure.supxlabel("q, second moment before the layer", fontsize=9)
    figure.supylabel("V(q) / q", fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _map_panel(axis: Any, members: Sequence[tuple[LayerGeometry, VarianceMap]]) -> None:
    q = torch.logspace(-3, 3, 121, dtype=torch.float64)
    shown = short_names([layer.layer for layer, _ in members])
    for (layer, found), color in zip(members, depth_colors(len(members)), strict=True):
        ratio = variance_map(q, layer.pair, found.sigma_w2**0.5) / q
        axis.plot(q, ratio, lw=1.3, color=color, label=shown[layer.layer])
        if q[0] < found.fixed_point < q[-1]:
            axis.plot(found.fixed_point, 1, "o", ms=5, color=color)
    axis.axhline(1, color="#808080", lw=0.9, ls="--")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.tick_params(labelbottom=True, labelsize=7)
    if len(members) <= MOST_CURVES:
        axis.legend(fontsize=6, handlelength=1.2, labelspacing=0.2, loc="lower left")


def plot_depth(
    layers: Sequence[LayerGeometry],
    signals: Sequence[LayerSignal],
    arrivals: Sequence[Arrival],
    path: str | Path,
    title: str = "",
) -> Path:
    """Draw the second moment of the input of each SALU, SWALU and GALU over depth: measured, and predicted.

    Args:
        layers: from `geometry`.
        signals: from `signals`.
        arrivals: of `propagate`, with the images' own moment.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: nothing was measured.
        OutputError: the file cannot be written.
    """
    with drawing():
        return write_png(draw_depth(layers, signals, arrivals, title), path)


def draw_depth(
    layers: Sequence[LayerGeometry], signals: Sequence[LayerSignal], arrivals: Sequence[Arrival], title: str = ""
) -> Any:
    """The figure of `plot_depth`; to be called, and saved, inside `drawing()`."""
    seen = {signal.layer: signal.input_moment for signal in signals}
    told = {arrival.layer: arrival for arrival in arrivals}
    measured = [(i, seen[layer.layer]) for i, layer in enumerate(layers) if seen.get(layer.layer)]
    if not measured:
        raise ConfigurationError("plot_depth() was given no signal; give those of signals(model, images).")
    found = [(i, told[layer.layer]) for i, layer in enumerate(layers) if layer.layer in told]
    predicted = [(i, a.moment) for i, a in found if a.moment and not a.restarted]
    restarted = [(i, a.moment) for i, a in found if a.moment and a.restarted]
    figure = new_figure(9.6, 4.4)
    axis = figure.subplots()
    axis.plot(*zip(*measured, strict=True), "o-", lw=1, ms=4.5, color=SALU_COLOR, label="measured")
    if predicted:
        axis.plot(*zip(*predicted, strict=True), "D", ms=4.5, color=GATE_COLOR, label="predicted from the images on")
    if restarted:
        label = "prediction starts anew"
        axis.plot(*zip(*restarted, strict=True), "o", ms=8, mfc="none", color=THIRD_COLOR, label=label)
    _depth_axis(axis, layers)
    log_axis(axis, [value for _, value in (*measured, *predicted)])
    axis.set_ylabel("E[x²] of the input")
    figure.legend(loc="outside lower center", ncols=3)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _depth_axis(axis: Any, layers: Sequence[LayerGeometry] | Sequence[LayerBound]) -> None:
    stage_bands(axis, bands([layer.stage for layer in layers]), names=True)
    axis.grid(axis="x", visible=False)
    name_layers(axis, [layer.layer for layer in layers])

"""The shape every activation of a model has learned, stage by stage."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from zoo.activations.fles import fles
from zoo.activations.galu import galu
from zoo.activations.salu import salu
from zoo.activations.swalu import swalu
from zoo.analysis.coefficients import LayerCoefficients
from zoo.analysis.geometry import KINDS, LayerGeometry
from zoo.analysis.signals import LayerSignal
from zoo.analysis.stages import stage_of
from zoo.errors import ConfigurationError
from zoo.plots import depth_colors, drawing, new_figure, short_names, write_png

COLUMNS = 4
MOST_NAMES = 5
"""With more curves than this in one panel, colour alone tells early from late."""
_FUNCTIONS = {"SALU": salu, "SWALU": swalu, "GALU": galu}
_STARTS = {kind.__name__: kind.start for kind in KINDS}
_REACH = 4.0


def plot_curves(
    layers: Sequence[LayerGeometry],
    path: str | Path,
    signals: Sequence[LayerSignal] = (),
    coefficients: Sequence[LayerCoefficients] = (),
    title: str = "",
) -> Path:
    """Draw y = f(x) of each SALU, SWALU, GALU and FleS: a panel for each kind and stage.

    With signals a curve is drawn over the middle 98 % of the inputs it met, and dotted beyond; without, |x| <= 4
    is drawn. FleS is drawn with the median of its κ_ve and κ_ho. A grey line is the usual start; for
    FleS it is SiLU.

    Args:
        layers: from `geometry`; may be empty.
        path: a .png file.
        signals: from `signals`.
        coefficients: from `coefficients`; may be empty.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: there is nothing to draw.
        OutputError: the file cannot be written.
    """
    with drawing():
        return write_png(draw_curves(layers, signals, coefficients, title), path)


def draw_curves(
    layers: Sequence[LayerGeometry],
    signals: Sequence[LayerSignal] = (),
    coefficients: Sequence[LayerCoefficients] = (),
    title: str = "",
) -> Any:
    """The figure of `plot_curves`; to be called, and saved, inside `drawing()`."""
    curves = [(layer.kind, layer.stage, layer.layer, (layer.a, layer.b)) for layer in layers]
    curves += [
        ("FleS", stage_of(c.layer), c.layer, (c.vertical["median"], c.horizontal["median"])) for c in coefficients
    ]
    if not curves:
        raise ConfigurationError("plot_curves() was given no layer; give those of geometry(model) or coefficients().")
    panels: dict[tuple[str, str], list[tuple[str, tuple[float, float]]]] = {}
    for kind, stage, name, values in sorted(curves, key=lambda c: (c[0] != "SALU", c[1] == "Downsampling")):
        panels.setdefault((kind, stage), []).append((name, values))
    rows = math.ceil(len(panels) / COLUMNS)
    figure = new_figure(9.6, 0.5 + 2.35 * rows)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    seen = {signal.layer: (signal.low, signal.high) for signal in signals}
    for axis, ((kind, stage), members) in zip(axes, panels.items(), strict=False):
        _panel(axis, kind, members, seen)
        axis.set_title(f"{kind}, {stage}", fontsize=9)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _panel(
    axis: Any,
    kind: str,
    members: Sequence[tuple[str, tuple[float, float]]],
    seen: dict[str, tuple[float, float]],
) -> None:
    ranges = [seen[name] for name, _ in members if name in seen]
    reach = max([_REACH, *(1.15 * max(abs(low), abs(high)) for low, high in ranges)]) if ranges else _REACH
    x = torch.linspace(-reach, reach, 241)
    start = _STARTS.get(kind, (1.0, 1.0))
    axis.plot(x, _value(kind, x, start), color="#808080", lw=3, alpha=0.35)
    shown = short_names([name for name, _ in members])
    for (name, values), color in zip(members, depth_colors(len(members)), strict=True):
        y = _value(kind, x, values)
        low, high = seen.get(name, (-reach, reach))
        inside = (x >= low) & (x <= high)
        axis.plot(x, y, color=color, lw=0.7, ls=":")
        axis.plot(x[inside], y[inside], color=color, lw=1.5, label=shown[name])
    if len(members) <= MOST_NAMES:
        axis.legend(fontsize=6, handlelength=1.2, labelspacing=0.2, loc="upper left")
    axis.tick_params(labelsize=7)


def _value(kind: str, x: torch.Tensor, values: tuple[float, float]) -> torch.Tensor:
    if kind == "FleS":
        vertical, horizontal = torch.tensor(values[0]), torch.tensor(values[1])
        return fles(x, vertical, horizontal)
    return _FUNCTIONS[kind](x, *values)

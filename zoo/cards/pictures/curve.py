"""The training curve of a card, drawn from the training log; with a baseline's log, both beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data.glue import GLUE, METRICS
from zoo.errors import ConfigurationError
from zoo.plots import GATE_COLOR, SALU_COLOR, THIRD_COLOR, drawing, new_figure, write_png
from zoo.weights.tag import PretrainedTag

IMAGE_SCORES = {"val_top1": "", "val_top1_ema": "averaged weights"}
IMAGE_AXIS = "validation Top-1 (%)"
COLORS = (SALU_COLOR, GATE_COLOR, THIRD_COLOR, "#8a6fa8")
STYLES = ("-", "--", ":")

Rows = Sequence[Mapping[str, Any]]


def curve_scores(tag: PretrainedTag) -> tuple[dict[str, str], str]:
    """Choose the entries of a training log for a card's curve, each with its name, and the title of their axis."""
    if not tag.is_text:
        return IMAGE_SCORES, IMAGE_AXIS
    metrics = GLUE.get(tag.dataset).metrics if tag.dataset in GLUE else ()
    names = {f"val_{name}": METRICS[name] for name in metrics}
    return names, f"validation {next(iter(names.values()))}" if len(names) == 1 else "validation"


def plot_curve(
    log_rows: Rows,
    path: str | Path,
    scores: Mapping[str, str] = IMAGE_SCORES,
    axis: str = IMAGE_AXIS,
    baselines: Mapping[str, Rows] | None = None,
    label: str = "this run",
) -> Path:
    """Draw training loss (left) and validation scores (right) over the epochs, as a PNG.

    Args:
        log_rows: rows with `epoch` and, where they were measured, `train_loss` and the scores. For images a row has
            `val_top1` and `val_top1_ema` (of averaged weights) in percent.
        path: the picture to write.
        scores: the scores to draw: key to what it is called.
        axis: title of the scores' axis.
        baselines: logs of other runs, by label; drawn in the same axes.
        label: what the first log is called beside baselines.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: a log has no row with both `epoch` and `train_loss`.
        OutputError: the picture cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    runs = {label: log_rows, **(baselines or {})}
    for name, rows in runs.items():
        if not _points(rows, "train_loss"):
            raise ConfigurationError(f"The training curve of {name} needs log rows with `epoch` and `train_loss`.")
    with drawing():
        figure = new_figure(9, 3.3)
        axes = figure.subplots(1, 2, sharex=True)
        for axes_, title in zip(axes, ("training loss", axis), strict=True):
            axes_.set_title(title)
            axes_.set_xlabel("epoch")
            axes_.xaxis.set_major_locator(MaxNLocator(integer=True))
        for color, (name, rows) in zip(_colors(), runs.items(), strict=False):
            axes[0].plot(*zip(*_points(rows, "train_loss"), strict=True), color=color, lw=1.4, label=name)
            _draw_scores(axes[1], rows, scores, color, name if len(runs) > 1 else "")
        handles = _legend(axes, len(runs))
        if handles[1]:
            figure.legend(*handles, loc="outside lower center", ncols=min(4, len(handles[1])))
        return write_png(figure, path)


def _draw_scores(axes: Any, rows: Rows, scores: Mapping[str, str], color: str, run: str) -> None:
    """One line a score, the last one's end in numbers; markers, since a score may have been measured once."""
    found = [(style, name, _points(rows, key)) for style, (key, name) in zip(STYLES, scores.items(), strict=False)]
    drawn = [(style, name, points) for style, name, points in found if points]
    for style, name, points in drawn:
        shown = ", ".join(part for part in (run, name) if part)
        marker = "o" if len(points) < 40 else ""
        axes.plot(*zip(*points, strict=True), color=color, ls=style, lw=1.4, marker=marker, ms=3.5, label=shown)
    if drawn and not run:
        epoch, value = drawn[-1][2][-1]
        axes.annotate(f"{value:.2f}" if value > 1 else f"{value:.4f}", (epoch, value), color=color,
                      xytext=(-4, 4), textcoords="offset points", ha="right", va="bottom", fontsize=8)  # fmt: skip


def _legend(axes: Sequence[Any], runs: int) -> tuple[list[Any], list[str]]:
    """Collect the legend's entries: the runs if there are several, and scores that are told apart by their line."""
    handles, labels = axes[1].get_legend_handles_labels()
    if runs > 1 and not labels:
        handles, labels = axes[0].get_legend_handles_labels()
    named = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label]
    return ([handle for handle, _ in named], [name for _, name in named]) if len(handles) > 1 else ([], [])


def _points(rows: Rows, key: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[key]) for row in rows if row.get(key) is not None and "epoch" in row]


def _colors() -> Iterator[str]:
    while True:
        yield from COLORS

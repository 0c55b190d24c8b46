"""The training curve of a card, drawn from the training log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo._files import write_atomic
from zoo.data.glue import GLUE, METRICS
from zoo.errors import ConfigurationError
from zoo.pretrained.tag import PretrainedTag

IMAGE_SCORES = {"val_top1": "weights", "val_top1_ema": "averaged weights"}
IMAGE_AXIS = "validation Top-1 (%)"
COLORS = ("tab:orange", "tab:green", "tab:red")


def curve_scores(tag: PretrainedTag) -> tuple[dict[str, str], str]:
    """Which entries of a training log a card's curve shows, each with its name, and the title of their axis."""
    if not tag.is_text:
        return IMAGE_SCORES, IMAGE_AXIS
    metrics = GLUE.get(tag.dataset).metrics if tag.dataset in GLUE else ()
    return {f"val_{name}": METRICS[name] for name in metrics}, "validation"


def plot_curve(
    log_rows: Sequence[Mapping[str, Any]],
    path: str | Path,
    scores: Mapping[str, str] = IMAGE_SCORES,
    axis: str = IMAGE_AXIS,
) -> Path:
    """Draw training loss (left axis) and validation scores (right axis) over the epochs, as a PNG.

    Args:
        log_rows: rows with `epoch` and, where they were measured, `train_loss` and the scores. For images a row has
            `val_top1` and `val_top1_ema` (of averaged weights) in percent.
        path: the picture to write.
        scores: the scores to draw: key to what it is called.
        axis: title of the right axis.

    Returns:
        The absolute path written.

    Raises:
        ConfigurationError: there is no row with both `epoch` and `train_loss`.
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    losses = [(row["epoch"], row["train_loss"]) for row in log_rows if "epoch" in row and "train_loss" in row]
    if not losses:
        raise ConfigurationError("A training curve needs log rows with `epoch` and `train_loss`; there is none.")
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    left = figure.subplots()
    left.plot(*zip(*losses, strict=True), color="tab:blue")
    left.set_xlabel("epoch")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylabel("training loss", color="tab:blue")
    left.grid(alpha=0.3)
    right = left.twinx()
    right.set_ylabel(axis)
    for (key, label), color in zip(scores.items(), COLORS, strict=False):
        points = [(row["epoch"], row[key]) for row in log_rows if row.get(key) is not None]
        if points:
            right.plot(*zip(*points, strict=True), color=color, marker=".", label=label)
    # Outside: inside it would hide a score that was measured once.
    if right.lines:
        figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=len(COLORS), frameon=False)
    return write_atomic(path, lambda file: figure.savefig(file, format="png", dpi=110))

"""The training curve of a card, drawn from the training log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo._files import write_atomic
from zoo.errors import ConfigurationError


def plot_curve(log_rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw training loss (left axis) and validation Top-1 (right axis) over the epochs, as a PNG.

    Args:
        log_rows: one row per epoch with `epoch`, `train_loss` and, where they were measured, `val_top1` and
            `val_top1_ema` (of averaged weights) in percent.
        path: the picture to write.

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
    right.set_ylabel("validation Top-1 (%)")
    for key, color, label in (("val_top1", "tab:orange", "weights"), ("val_top1_ema", "tab:green", "averaged weights")):
        scores = [(row["epoch"], row[key]) for row in log_rows if row.get(key) is not None]
        if scores:
            right.plot(*zip(*scores, strict=True), color=color, marker=".", label=label)
            right.legend(loc="center right")
    return write_atomic(path, lambda file: figure.savefig(file, format="png", dpi=110))

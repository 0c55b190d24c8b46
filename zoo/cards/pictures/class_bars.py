"""Picture of the classes a model confuses: the confusion matrix of a few, or the accuracy of each of many."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.analysis.classes import ClassCounts
from zoo.plots import GATE_COLOR, SALU_COLOR, drawing, new_figure, write_png

_NAMED = 7
"""So many of the best and of the worst classes are named in the picture of many classes."""
_PAIRS = 12


def plot_classes(counts: ClassCounts, labels: Sequence[str], path: str | Path, title: str = "") -> Path:
    """Draw the confusion matrix, or of more classes than it is stored for their sorted accuracies and worst pairs.

    Args:
        counts: of an evaluation.
        labels: class names in order; empty if unknown.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the file cannot be written.
    """
    names = [name.partition(",")[0] for name in labels] or [str(number) for number in range(len(counts.images))]
    matrix = counts.matrix()
    with drawing():
        figure = _matrix(matrix, names) if matrix is not None else _many(counts, names)
        if title:
            figure.suptitle(title, fontsize=10)
        return write_png(figure, path)


def _matrix(matrix: list[list[int]], names: Sequence[str]) -> Any:
    """Rows are classes, columns answers; shade is the share of the row, the number counts images."""
    size = len(names)
    side = 2.2 + 0.42 * size
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    shares = [[100 * count / max(1, sum(row)) for count in row] for row in matrix]
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for i, row in enumerate(matrix):
        for j, count in enumerate(row):
            if count:
                color = "white" if shares[i][j] > 55 else "#2b2d2f"
                axes.text(j, i, str(count), ha="center", va="center", fontsize=7.5, color=color)
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("class")
    axes.grid(visible=False)
    figure.colorbar(picture, ax=axes, label="share of the class (%)", fraction=0.046, pad=0.02)
    return figure


def _many(counts: ClassCounts, names: Sequence[str]) -> Any:
    """Accuracies in order; beside them the names of the best and worst classes, and the most frequent confusions."""
    figure = new_figure(10.5, 4.4)
    left, middle, right = figure.subplots(1, 3, width_ratios=(3, 1.15, 2))
    measured = [(value, names[number]) for number, value in enumerate(counts.accuracy) if value is not None]
    measured.sort(key=lambda pair: (pair[0], pair[1]))
    values = [value for value, _ in measured]
    left.bar(range(len(values)), values, width=1.0, color=SALU_COLOR, edgecolor="white", lw=0.2)
    left.set_xlim(-0.5, len(values) - 0.5)
    left.set_ylim(0, 100)
    left.set_xticks([])
    left.set_xlabel(f"{len(values)} classes, from the hardest to the easiest")
    left.set_title("accuracy of each class (%)")
    left.axhline(sum(counts.correct) * 100 / max(1, sum(counts.images)), color=GATE_COLOR, lw=1, ls="--")
    few = min(_NAMED, len(values) // 2)
    middle.axis("off")
    _list(middle, 1.0, "hardest", measured[:few])
    _list(middle, 0.5, "easiest", measured[-few:][::-1])
    pairs = counts.confused[:_PAIRS]
    places = range(len(pairs))
    right.barh(places, [count for _, _, count in pairs], color=GATE_COLOR)
    right.set_yticks(places, [f"{names[target]} → {names[answer]}" for target, answer, _ in pairs], fontsize=8)
    right.invert_yaxis()
    right.set_title("most frequent confusions (images)")
    right.grid(axis="y", visible=False)
    return figure


def _list(axes: Any, top: float, title: str, rows: Sequence[tuple[float, str]]) -> None:
    """Classes with their accuracies, a line each, under a title."""
    axes.text(0, top, title, transform=axes.transAxes, va="top", fontsize=9)
    text = "\n".join(f"{value:.0f} %  {name}" for value, name in rows)
    axes.text(0, top - 0.06, text, transform=axes.transAxes, va="top", fontsize=8, linespacing=1.3)

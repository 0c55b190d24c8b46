"""The picture of the batch-size study: Top-1 over the batch size, both networks, failures marked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.analysis._drawing import write_png
from zoo.studies.batch_size.cells import BASELINE, SALUNET

STYLES = {SALUNET.label: ("#2f6690", "o"), BASELINE.label: ("#d1495b", "s")}


def plot_batch_size(report: Mapping[str, Any], path: str | Path) -> Path:
    """Draw Top-1 over the batch size with two binomial standard errors; crosses mark batch sizes where runs diverged.

    Args:
        report: of `make_report`, or read from its file.
        path: a .png file.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis = figure.subplots()
    rows, chance = report["table"], report["verdict"]["chance"]
    for network, (colour, marker) in STYLES.items():
        _draw(axis, [row for row in rows if row["network"] == network], network, colour, marker, chance)
    axis.axhline(chance, color="#888", lw=0.9, ls=":", label=f"chance ({chance:g} %)")
    axis.set_xscale("log", base=2)
    steps = {row["batch_size"]: f"{row['batch_size']}\n({row['steps']:,} steps)" for row in rows}
    axis.set_xticks(list(steps), list(steps.values()))
    axis.set_xlabel("batch size (images per optimiser step)")
    axis.set_ylabel(f"Top-1 on {report['data']['evaluation']['images']:,} test images (%)")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    axis.set_title(_title(report), fontsize=9)
    return write_png(figure, path)


def _draw(axis: Any, rows: list[dict[str, Any]], label: str, colour: str, marker: str, chance: float) -> None:
    known = [row for row in rows if row["top1"] is not None]
    sizes, errors = [row["batch_size"] for row in known], [2 * row["top1_se"] for row in known]
    axis.errorbar(sizes, [row["top1"] for row in known], errors, color=colour, marker=marker, capsize=3, label=label)
    by_batch = [row for row in known if row["top1_batch_statistics"] is not None]
    if by_batch:
        points = [row["top1_batch_statistics"] for row in by_batch]
        note = f"{label}, statistics of the evaluation batch"
        axis.plot(
            [r["batch_size"] for r in by_batch], points, color=colour, marker=marker, mfc="white", ls="--", label=note
        )
    lost = [row for row in rows if row["diverged"]]
    if lost:
        places = [chance if row["top1"] is None else row["top1"] for row in lost]
        axis.plot(
            [r["batch_size"] for r in lost], places, "x", color=colour, ms=12, mew=2, label=f"{label}, runs diverged"
        )


def _title(report: Mapping[str, Any]) -> str:
    recipe, data = report["recipe"], report["data"]
    size = recipe["model"]["args"].get("img_size", 32)
    seeds = max(row["runs"] for row in report["table"])
    return (
        f"SaluNet-C-18 and ResNet-18 with BatchNorm and ReLU: one pass over {data['train']['images']:,} images\n"
        f"of {recipe['data']['dataset']} at {size} px, {seeds} seed{'s' if seeds > 1 else ''}, "
        "learning rate chosen on held-out images (bars: 2 standard errors)"
    )

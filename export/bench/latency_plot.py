"""A picture of a benchmark."""

from pathlib import Path

from export.bench.timed_files import BenchResult
from zoo.files import write_atomic


def plot_bench(result: BenchResult, path: str | Path, title: str) -> Path:
    """Draw the median of each file as a bar, with a line to its 90th percentile and the ratio to its twin.

    Args:
        result: from `bench_files`.
        path: a .png file.
        title: above the picture.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4 + 0.5 * len(result.rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(result.rows))
    medians = [row.latency.p50_ms for row in result.rows]
    axes.barh(places, medians, color=["#9db4c0" if row.twin is None else "#2f6690" for row in result.rows])
    axes.hlines(places, medians, [row.latency.p90_ms for row in result.rows], color="#d1495b", lw=2)
    reach = max(row.latency.p90_ms for row in result.rows)
    for place, row in zip(places, result.rows, strict=True):
        ratio = "" if row.twin is None else f" {row.ratio:.2f}"
        axes.text(row.latency.p90_ms + 0.01 * reach, place, ratio, va="center", fontsize=9)
    axes.set_yticks(list(places), [row.label for row in result.rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * reach)
    axes.set_xlabel(f"ms per run, median and 90th percentile of {result.runs}; {result.threads} threads, {result.cpu}")
    axes.set_title(title, fontsize=10)
    return write_atomic(path, lambda file: figure.savefig(file, format="png", dpi=110))

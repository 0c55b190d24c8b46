"""Common look of the analysis's pictures, and the two forms each is stored in: a PNG file, and SVG inside a page."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.files import write_atomic

SALU_COLOR, GATE_COLOR, THIRD_COLOR = "#3d7ea6", "#d1495b", "#5a9367"
BASELINE_COLOR = "#c98a2b"
INK = "#2b2d2f"
"""Text and axes; in a page `svg_of` lets them follow the page's own colour, so that they can be read in dark mode."""

_STYLE = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#808080",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # a $ in the name of a class is a $
    "svg.fonttype": "none",
    "svg.hashsalt": "salu-zoo",
    "font.size": 9,
}


@contextmanager
def drawing() -> Iterator[None]:
    """The style, for everything drawn and saved inside."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Any:
    """An empty figure of this size in inches, free of pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def stage_bands(axis: Any, stages: Sequence[str], names: bool) -> None:
    """Shade every other run of equal stages along x = 0, 1, 2, ... and, with `names`, write each above the axis."""
    starts = [i for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(stages)], strict=True)):
        if number % 2:
            axis.axvspan(start - 0.5, end - 0.5, color="#808080", alpha=0.10, lw=0, zorder=0)
        if names:
            place = ((start + end - 1) / 2, 1.01)
            axis.annotate(
                stages[start], place, xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8
            )
    axis.set_xlim(-0.5, len(stages) - 0.5)


def depth_colors(count: int) -> list[Any]:
    """So many colours from early to late, all readable on white and on black."""
    from matplotlib.colors import LinearSegmentedColormap

    scale = LinearSegmentedColormap.from_list("depth", [SALU_COLOR, "#9467a8", GATE_COLOR, "#d99a2b"])
    return [scale(number / max(1, count - 1)) for number in range(count)]


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Each path without the parts that all of them begin and end with; a lone number keeps the part before it.

    >>> list(short_names(["layer2.0.downsample.1", "layer3.0.downsample.1"]).values())
    ['layer2', 'layer3']
    >>> list(short_names(["stages.0.blocks.0.mlp.act", "stages.0.blocks.1.mlp.act"]).values())
    ['blocks.0', 'blocks.1']
    """
    parts = [path.split(".") for path in paths]
    if len(paths) < 2:
        return {path: path for path in paths}
    shortest = min(map(len, parts)) - 1
    head = next((i for i in range(shortest) if len({p[i] for p in parts}) > 1), shortest)
    tail = next((i for i in range(shortest - head + 1) if len({p[-1 - i] for p in parts}) > 1), 0)
    cut = [p[head : len(p) - tail] for p in parts]
    if head and any(c[0].isdigit() and len(c) == 1 for c in cut):
        cut = [p[head - 1 : len(p) - tail] for p in parts]
    return {path: ".".join(c) for path, c in zip(paths, cut, strict=True)}


def log_axis(axis: Any, values: Sequence[float]) -> None:
    """A logarithmic y axis with plain numbers, at least a decade high and with room around the positive `values`."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(values) / 1.4, max(values) * 1.4
    stretch = max(1.0, (10 * low / high) ** 0.5)
    axis.set_yscale("log")
    axis.set_ylim(low / stretch, high * stretch)
    decades = math.log10(high / low)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def save_png(figure: Any) -> bytes:
    """The picture on a white ground."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130, facecolor="white")
    figure.set_layout_engine("none")  # the places found are good for the next form as well, and slow to find
    return stream.getvalue()


def write_png(figure: Any, path: str | Path) -> Path:
    """Store the picture on a white ground.

    Raises:
        OutputError: it cannot be written.
    """
    content = save_png(figure)
    return write_atomic(path, lambda file: file.write_bytes(content))


def svg_of(figure: Any, name: str) -> str:
    """The picture as an <svg> element without a ground, whose ink is the colour of the text around it.

    Args:
        figure: made inside `drawing()`.
        name: put before every identifier inside, which a page with several pictures would otherwise mix up.
    """
    stream = io.StringIO()
    with drawing():
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.replace(INK, "currentColor")

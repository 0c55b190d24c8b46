"""What a card says of the coefficients FleS predicted: a picture and a table, both from the stored figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.analysis import LayerCoefficients, plot_coefficients
from zoo.pretrained.markdown import number, table
from zoo.pretrained.tag import PretrainedTag

PICTURE_FILE = "coefficients.png"
_HEAD = (
    "layer", "channels", "κ_ve median", "κ_ve 5-95 %", "κ_ve within", "κ_ho median", "κ_ho 5-95 %", "κ_ho within"
)  # fmt: skip


def coefficients_section(tag: PretrainedTag) -> str:
    """The section's text; "" where nothing is stored."""
    stored = tag.results.get("coefficients")
    if not stored:
        return ""
    rows = [
        (f"`{layer.layer}`", layer.channels, *_cells(layer.vertical), *_cells(layer.horizontal))
        for layer in layers_of(stored)
    ]
    where = f"{stored['dataset']} ({stored['split'] or 'all'}, {stored['n']:,})"
    return (
        f"Height κ_ve and steepness κ_ho of each FleS over {where}, in float32. `within` is the standard deviation "
        "of a channel's coefficient from one input to the next, averaged over channels; at 0 it ignores its input.\n\n"
        f"![κ_ve and κ_ho by layer]({PICTURE_FILE})\n\n{table(_HEAD, rows)}"
    )


def draw_coefficients(tag: PretrainedTag, folder: Path) -> None:
    """Write the section's picture into `folder`, if figures are stored.

    Raises:
        OutputError: it cannot be written.
    """
    stored = tag.results.get("coefficients")
    if stored:
        plot_coefficients(layers_of(stored), folder / PICTURE_FILE, f"{tag.name} on {stored['dataset']}")


def layers_of(stored: Mapping[str, Any]) -> list[LayerCoefficients]:
    """The stored layers as the analysis gave them; of checked results."""
    return [LayerCoefficients(**layer) for layer in stored["layers"]]


def _cells(found: Mapping[str, float]) -> tuple[str | None, ...]:
    spread = f"{number(found['p5'], 3)} to {number(found['p95'], 3)}"
    return number(found["median"], 3), spread, number(found["within"], 3)

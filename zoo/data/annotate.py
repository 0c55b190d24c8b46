"""Copies of images with what a model says of them written below."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDE, _LINE, _MARGIN = 256, 20, 6


def annotated(image: "Image", lines: Sequence[str]) -> "Image":
    """The image, enlarged to 256 px where it is smaller, with lines of text on a white strip below.

    Args:
        image: RGB.
        lines: what to write, the first one on top; what is too wide is cut with an ellipsis.
    """
    from PIL import Image as Images
    from PIL import ImageDraw, ImageFont

    factor = max(1.0, _SIDE / min(image.size))
    width, height = (round(factor * side) for side in image.size)
    sheet = Images.new("RGB", (width, height + _LINE * len(lines) + 2 * _MARGIN), "white")
    sheet.paste(image.resize((width, height), Images.Resampling.NEAREST if factor > 1 else Images.Resampling.BICUBIC))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, line in enumerate(lines):
        text = line
        while text and draw.textlength(text, font) > width - 2 * _MARGIN:
            text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
        draw.text((_MARGIN, height + _MARGIN + number * _LINE), text, "black", font)
    return sheet

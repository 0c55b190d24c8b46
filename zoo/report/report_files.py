"""The report's files: analysis.json, a PNG for each picture, and report.html, written together or not at all."""

import json
from pathlib import Path
from typing import Any

from zoo.files import Fill, write_together
from zoo.plots import drawing, save_png, svg_of
from zoo.report.analyze_model import Analysis
from zoo.report.html_page import render_page
from zoo.report.sections import sections

JSON_FILE, PAGE_FILE = "analysis.json", "report.html"


def write_report(analysis: Analysis, folder: str | Path, *, page: bool = True) -> list[Path]:
    """Write everything found into a folder, which is made if need be; files of those names are replaced.

    Args:
        analysis: from `analyze`.
        folder: where.
        page: whether to write report.html, one file that needs no other and no network.

    Returns:
        The absolute paths written.

    Raises:
        OutputError: a file cannot be written; then none is.
    """
    place = Path(folder).absolute()
    parts = sections(analysis)
    files: dict[str | Path, Fill] = {place / JSON_FILE: _text(json.dumps(analysis.to_dict(), indent=1) + "\n")}
    drawn: dict[str, str] = {}
    for picture in (picture for part in parts for picture in part.pictures):
        with drawing():
            figure = picture.draw()
            files[place / picture.file] = _bytes(save_png(figure))
        if page:
            drawn[picture.file] = svg_of(figure, picture.file.removesuffix(".png"))
    if page:
        files[place / PAGE_FILE] = _text(render_page(analysis, parts, drawn))
    write_together(files)
    return [Path(file) for file in files]


def _text(content: str) -> Fill:
    return lambda file: file.write_text(content, encoding="utf-8")


def _bytes(content: bytes) -> Fill:
    def fill(file: Path) -> Any:
        return file.write_bytes(content)

    return fill

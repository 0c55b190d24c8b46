"""The report's parts: what each says, its tables and its pictures. Terminal and page show the same."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo.analysis.card_plots import draw_coefficients
from zoo.analysis.findings import Findings
from zoo.analysis.plot_curves import draw_curves
from zoo.analysis.plot_dynamics import draw_bounds, draw_depth, draw_variance_maps
from zoo.analysis.plot_geometry import draw_geometry
from zoo.analysis.plot_representation import draw_representation
from zoo.report import report_tables, tables_dynamics
from zoo.report.analyze_model import Analysis
from zoo.report.cells import Table

TEXTS = Path(__file__).with_name("texts.toml")


@dataclass(frozen=True)
class ReportPicture:
    """One picture.

    Args:
        file: its name as a PNG.
        caption: what is drawn how.
        draw: makes the figure; called inside `zoo.plots.drawing`.
    """

    file: str
    caption: str
    draw: Callable[[], Any]


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Args:
        key: its anchor.
        title: its heading.
        text: what the reader should know to read it.
        tables: its tables; those of `detail` are folded on the page and left out in the terminal.
        pictures: its pictures.
    """

    key: str
    title: str
    text: str
    tables: Sequence[Table] = ()
    pictures: Sequence[ReportPicture] = ()


@cache
def texts() -> dict[str, dict[str, str]]:
    """The report's words by section, and its glossary."""
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))


def sections(analysis: Analysis) -> list[Section]:
    """The parts there is something to say in, in order."""
    found = analysis.findings
    every = (
        _geometry(found, analysis.baseline_findings),
        _curves(found),
        _coefficients(found),
        _representation(analysis),
        _bounds(analysis),
        _maps(found),
        _depth(found),
    )
    return [section for section in every if section is not None]


def _section(key: str, shown: Sequence[Table], file: str, draw: Callable[[], Any] | None, *more: str) -> Section:
    """A section with its words from the file, `more` of them by their keys or as they are."""
    words = texts()[key]
    text = " ".join(part.strip() for part in (words["text"], *(words.get(part, part) for part in more)))
    pictures = [ReportPicture(file, words["picture"].strip(), draw)] if draw else []
    return Section(key, words["title"], text, [table.trimmed() for table in shown], pictures)


def _geometry(found: Findings, other: Findings | None) -> Section | None:
    if not found.geometry:
        return None
    shown = [report_tables.stages(found, "S and W by stage")]
    if other and other.geometry:
        shown.append(report_tables.stages(other, "S and W by stage, baseline"))
    return _section(
        "geometry", [*shown, report_tables.layers(found)], "geometry.png", lambda: draw_geometry(found.geometry)
    )


def _curves(found: Findings) -> Section | None:
    if not (found.geometry or found.coefficients):
        return None
    more = [key for key, wanted in (("measured", found.signals), ("fles", found.coefficients)) if wanted]
    return _section(
        "curves", [], "curves.png", lambda: draw_curves(found.geometry, found.signals, found.coefficients), *more
    )


def _coefficients(found: Findings) -> Section | None:
    if not found.coefficients:
        return None
    shown = [report_tables.coefficients(found)]
    return _section("coefficients", shown, "coefficients.png", lambda: draw_coefficients(found.coefficients))


def _representation(analysis: Analysis) -> Section | None:
    found, other = analysis.findings, analysis.baseline_findings
    if not found.representation:
        return None
    named = {analysis.subject.name: found.representation}
    if analysis.baseline and other and other.representation:
        named[analysis.baseline.name] = other.representation
    shown = [report_tables.ranks(found, other), report_tables.moments(found, other)]
    return _section("representation", shown, "representation.png", lambda: draw_representation(named))


def _bounds(analysis: Analysis) -> Section | None:
    found = analysis.findings
    shown = [
        table
        for table in (tables_dynamics.bounds(found), tables_dynamics.gains(found), tables_dynamics.network(analysis))
        if table
    ]
    if not shown:
        return None
    more = ["network"] if found.propagation and found.propagation.lipschitz is not None else []
    if not found.bounds:
        return _section("bounds", shown, "", None, *more)
    more += ["slopes", "radius_measured" if found.signals else "radius_theory"]
    measured = [bound for bound in found.bounds if bound.peak is not None]
    if measured:
        good = sum(bound.holds for bound in measured)
        more.append(texts()["bounds"]["holds"].format(good=good, all=len(measured)))
    shown.append(tables_dynamics.layer_bounds(found))
    return _section("bounds", shown, "bounds.png", lambda: draw_bounds(found.bounds), *more)


def _maps(found: Findings) -> Section | None:
    maps = found.propagation.maps if found.propagation else ()
    if not maps:
        return None
    shown = [tables_dynamics.regimes(found), tables_dynamics.maps(found)]
    return _section("variance-map", shown, "variance_map.png", lambda: draw_variance_maps(found.geometry, maps))


def _depth(found: Findings) -> Section | None:
    if not (found.geometry and found.signals and found.propagation):
        return None
    arrivals = found.propagation.arrivals
    more = ["restarted"] if any(arrival.restarted for arrival in arrivals) else []
    shown = [tables_dynamics.depth(found), tables_dynamics.depth_layers(found)]
    return _section("depth", shown, "depth.png", lambda: draw_depth(found.geometry, found.signals, arrivals), *more)

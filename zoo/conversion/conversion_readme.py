"""README.md of a converted folder: what was converted, from what, what it changed, and how to load it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from zoo.cards.markdown import code, fenced, load_template, table
from zoo.console.visible import quoted
from zoo.conversion.conversion_report import ConvertedSite, Report

README = "README.md"
TEMPLATE = Path(__file__).with_name("converted.md.jinja")
_USAGE = """import zoo

model, report = zoo.load_converted({})
model.eval()"""


def conversion_readme(record: Mapping[str, Any], folder: str) -> str:
    """The text that belongs to a record.

    Args:
        record: what conversion.json holds.
        folder: under which name the examples load it.
    """
    report = Report.from_dict(record["report"])
    head, rows = site_table(report)
    origin = record["base"]
    while origin["kind"] == "converted":
        origin = origin["base"]
    base = origin.get("name") or origin["class"]
    facts = {
        "usage": fenced(_USAGE.format(quoted(folder)), "python"),
        "base": base,
        "named": "a transformers model" if origin["kind"] == "transformers" else _named(base, origin["kind"]),
        "report": report,
        "became": sorted({site.became for site in report.sites}),
        "options": ", ".join(f"{name} = {value}" for name, value in report.arguments.items()),
        "sites": table(head, rows),
        "measured": record.get("measured"),
        "example": record.get("example"),
        "versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version),
        "sha256": record["sha256"],
    }
    return load_template(TEMPLATE).render(facts)


def site_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table of all sites; a column in which no site has anything is left out."""
    columns = {
        "site": [site.path for site in report.sites],
        "was": [site.was for site in report.sites],
        "became": [site.became for site in report.sites],
        "folded into": [site.folded or "-" for site in report.sites],
        "channels": [_number(site.num_features) for site in report.sites],
        "axis": [_number(site.channel_axis) for site in report.sites],
        "clip": [_number(site.clip) for site in report.sites],
        "start": [_start(site) for site in report.sites],
        "range seen": [
            "-" if site.span is None else f"{site.span[0]:.3g} to {site.span[1]:.3g}" for site in report.sites
        ],
        "same bits": ["yes" if site.preserves else "no" for site in report.sites],
        "difference": [_number(site.difference) for site in report.sites],
    }
    used = {name: cells for name, cells in columns.items() if set(cells) != {"-"}}
    return list(used), [list(row) for row in zip(*used.values(), strict=True)]


def _named(base: str, kind: str) -> Markup:
    return Markup(f"{code(base)} of {'timm' if kind == 'timm' else 'salu-zoo'}")


def _start(site: ConvertedSite) -> str:
    if site.pair is not None:
        return f"a = {site.pair[0]:.3g}, b = {site.pair[1]:.3g}"
    return "-" if site.steepness is None else f"steepness {site.steepness:g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)

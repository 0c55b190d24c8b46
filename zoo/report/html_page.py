"""The page: one HTML file with its pictures inside; it needs no network and can be read on a phone and in the dark."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.report.analyze_model import Analysis
from zoo.report.facts import facts
from zoo.report.sections import Section, texts

TEMPLATE = Path(__file__).with_name("page.html.jinja")


def render_page(analysis: Analysis, parts: Sequence[Section], drawings: Mapping[str, str]) -> str:
    """The page's text.

    Args:
        analysis: what was found.
        parts: from `zoo.report.sections.sections`.
        drawings: the <svg> element of each picture, by its file name.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        analysis=analysis,
        sections=parts,
        drawings=drawings,
        facts=facts(analysis),
        glossary=texts()["glossary"],
    )

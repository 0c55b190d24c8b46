"""Provenance of a report, as names and values."""

from collections.abc import Mapping
from typing import Any

from zoo.report.analysed_model import AnalysedModel
from zoo.report.analyze_model import Analysis

_LIBRARIES = ("salu-zoo", "python", "torch", "timm", "numpy", "pillow")


def facts(analysis: Analysis) -> list[tuple[str, str]]:
    """Model, baseline, images, command, machine and libraries, for people."""
    rows = _subject("Model", analysis.subject)
    if analysis.baseline:
        rows += _subject("Baseline", analysis.baseline)
    if analysis.images:
        sample = analysis.images
        where = f" ({sample.split})" if sample.split else ""
        rows.append(("Images", f"{sample.count:,} of {sample.available:,} of {sample.dataset}{where}, evenly spaced"))
        rows.append(("Their source", _plain(sample.source)))
    else:
        rows.append(("Images", "none: computed from the weights alone"))
    versions = analysis.about["versions"]
    shown = ", ".join(f"{name} {versions[name]}" for name in _LIBRARIES if name in versions)
    return [
        *rows,
        ("Command", analysis.about["command"]),
        ("Finished", analysis.about["finished"]),
        ("Computed on", f"{analysis.about['device']}, float32; sums and gains in float64"),
        ("Libraries", shown),
    ]


def _subject(label: str, subject: AnalysedModel) -> list[tuple[str, str]]:
    c, h, w = subject.preprocess.input_size
    rows = [
        (label, f"{subject.model}, norm {subject.norm}, act {subject.act}, {subject.num_classes} classes"),
        (f"{label}: weights", subject.weights + (f", trained on {subject.dataset}" if subject.dataset else "")),
    ]
    if subject.sha256:
        rows.append((f"{label}: sha256", subject.sha256))
    rows.append((f"{label}: input", f"{c} x {h} x {w}, {subject.preprocess.interpolation}"))
    return rows


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_plain(item) for item in value)
    return str(value)

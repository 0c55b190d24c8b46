"""Pictures of a card: what of results.json each shows, how it is drawn, its text for readers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.analysis.card_plots import plot_coefficients
from zoo.analysis.classes import ClassCounts
from zoo.analysis.coefficients import LayerCoefficients
from zoo.analysis.geometry import LayerGeometry
from zoo.analysis.plot_geometry import plot_geometry
from zoo.cards.datasets import title_of
from zoo.cards.pictures.class_bars import plot_classes
from zoo.cards.pictures.curve import curve_scores, plot_curve
from zoo.cards.results import best_counted
from zoo.weights.tag import PretrainedTag


@dataclass(frozen=True)
class Picture:
    """One picture of a card.

    Args:
        kind: `curve`, `classes`, `geometry` or `coefficients`.
        alt: what it shows, in words.
        data: the stored values it is drawn from, ready for JSON.
        draw: writes it as a PNG.
    """

    kind: str
    alt: str
    data: Any
    draw: Callable[[Path], object]

    @property
    def file(self) -> str:
        """Its name in the card's folder."""
        return f"{self.kind}.png"


KINDS = ("curve", "classes", "geometry", "coefficients")
FILES = tuple(f"{kind}.png" for kind in KINDS)


def pictures_of(tag: PretrainedTag) -> dict[str, Picture]:
    """The pictures that the stored results allow, by kind; of checked results."""
    found = (_curve(tag), _classes(tag), _geometry(tag), _coefficients(tag))
    return {picture.kind: picture for picture in found if picture is not None}


def _curve(tag: PretrainedTag) -> Picture | None:
    log = (tag.results.get("training") or {}).get("log")
    if not log:
        return None
    baselines = {row["label"]: row["log"] for row in tag.results.get("comparisons", []) if row.get("log")}
    scores, axis = curve_scores(tag)
    beside = f", beside {' and '.join(baselines)}" if baselines else ""
    return Picture(
        "curve",
        f"Training loss and validation score of {tag.name} by epoch{beside}",
        {"log": log, "baselines": baselines},
        lambda path: plot_curve(log, path, scores, axis, baselines, tag.model),
    )


def _classes(tag: PretrainedTag) -> Picture | None:
    result = best_counted(tag.results)
    if result is None:
        return None
    counts = ClassCounts.from_dict(result["classes"])
    where = f"{title_of(result['dataset'])}, {result['split'] or 'all'}"
    what = "Accuracy of each class" if counts.matrix() is None else "Confusion matrix"
    labels = list(tag.labels)
    return Picture(
        "classes",
        f"{what} of {tag.name} on {where}: {result['top1']:.2f} % of {result['n']:,} images are right",
        {"classes": result["classes"], "labels": labels},
        lambda path: plot_classes(counts, labels, path, f"{tag.name} on {where}"),
    )


def _geometry(tag: PretrainedTag) -> Picture | None:
    stored = tag.results.get("geometry")
    if not stored:
        return None
    layers = [LayerGeometry(**layer) for layer in stored["layers"]]
    return Picture(
        "geometry",
        f"S and W of all {len(layers)} learned activations of {tag.name}, over depth",
        stored,
        lambda path: plot_geometry(layers, path, tag.name),
    )


def _coefficients(tag: PretrainedTag) -> Picture | None:
    stored = tag.results.get("coefficients")
    if not stored:
        return None
    layers = [LayerCoefficients(**layer) for layer in stored["layers"]]
    return Picture(
        "coefficients",
        f"Ranges of κ_ve and κ_ho in the {len(layers)} FleS layers of {tag.name}",
        stored,
        lambda path: plot_coefficients(layers, path, f"{tag.name} on {title_of(stored['dataset'])}"),
    )

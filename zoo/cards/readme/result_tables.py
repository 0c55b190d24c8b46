"""The figures of a card: what was measured, beside what it is compared with; and how each was measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from zoo.analysis.classes import ClassCounts
from zoo.cards.datasets import title_of
from zoo.cards.markdown import code, inline, number, plain, table
from zoo.cards.results import best_counted, runtime_of, size_of
from zoo.data.glue import METRICS
from zoo.weights.tag import PretrainedTag

_CONDITIONS = {
    "preprocess": "preprocessing",
    "source": "samples",
    "precision": "precision",
    "batch_size": "batch size",
    "hardware": "hardware",
    "versions": "versions",
    "date": "date",
}


def figures_table(tag: PretrainedTag) -> str:
    """Every evaluation of the weights, then every comparison; "" where nothing was measured."""
    evaluations, comparisons = tag.results.get("evaluations", []), tag.results.get("comparisons", [])
    if not evaluations and not comparisons:
        return ""
    columns = _columns([*evaluations, *comparisons], tag.is_text)
    samples = "texts" if tag.is_text else "images"
    rows = [
        [_label(result, not place), *_values(result, columns, not place), _where(result, samples)]
        for place, result in enumerate(evaluations)
    ]
    rows += [[row["label"], *_values(row, columns), row.get("note")] for row in comparisons]
    return table(("", *columns.values(), "measured"), rows)


def how_measured(results: Mapping[str, Any], samples: str) -> list[tuple[str, list[str]]]:
    """A title and lines for each evaluation, of those fields that were stored."""
    found = [(result, list(_conditions(result, samples))) for result in results.get("evaluations", [])]
    return [(f"How {_title(result)} was measured", lines) for result, lines in found if lines]


def classes_sentence(tag: PretrainedTag) -> str:
    """The hardest and the easiest class and the most frequent confusions, in words; "" where nothing was counted."""
    result = best_counted(tag.results)
    if result is None:
        return ""
    counts = ClassCounts.from_dict(result["classes"])
    names = [label.partition(",")[0] for label in tag.labels] or [f"class {n}" for n in range(len(counts.images))]
    measured = sorted((value, name) for value, name in zip(counts.accuracy, names, strict=True) if value is not None)
    (worst, hardest), (best, easiest) = measured[0], measured[-1]
    pairs = [f"{names[target]} taken for {names[answer]} ({count})" for target, answer, count in counts.confused[:5]]
    wrong = f" Most frequent confusions, in images: {', '.join(pairs)}." if pairs else ""
    return f"Hardest class: {hardest}, {worst:.1f} %. Easiest: {easiest}, {best:.1f} %.{wrong}"


def _columns(rows: Sequence[Mapping[str, Any]], text: bool) -> dict[str, str]:
    """Key to title of each figure that occurs."""
    if not text:
        return {"top1": "Top-1 (%)", "top5": "Top-5 (%)"}
    names = dict.fromkeys(name for row in rows for name in row["metrics"])
    return {name: f"{METRICS.get(name, name)} (x100)" for name in names}


def _values(row: Mapping[str, Any], columns: Mapping[str, str], first: bool = False) -> list[str | None]:
    metrics = row.get("metrics")
    values = [row.get(key) if metrics is None else _times100(metrics.get(key)) for key in columns]
    shown = [number(value, 2) for value in values]
    return [Markup(f"**{value}**") if first and value else value for value in shown]


def _label(result: Mapping[str, Any], first: bool) -> str:
    kind = runtime_of(result)
    if kind == "torch":
        return Markup("**these weights**") if first else "these weights"
    target = (result.get("runtime") or {}).get("target")
    where = inline("ONNX Runtime" if kind == "onnx" else kind)
    return Markup(f"these weights, {where}{f', {code(target)} file' if target else ''}")


def _where(result: Mapping[str, Any], samples: str) -> str:
    precision = f", {result['precision']}" if result.get("precision") else ""
    split = result["split"] or "all"
    return f"{title_of(result['dataset'])} {split}, {result['n']:,} {samples}, {size_of(result)}{precision}"


def _title(result: Mapping[str, Any]) -> str:
    return f"{title_of(result['dataset'])} ({runtime_of(result)}, {size_of(result)})"


def _conditions(result: Mapping[str, Any], samples: str) -> Iterator[str]:
    names = {**_CONDITIONS, "source": samples}
    if result.get("loss") is not None:
        yield f"loss: {number(result['loss'], 4)}"
    yield from (f"{names[key]}: {plain(result[key])}" for key in _CONDITIONS if result.get(key))
    if result.get("command"):
        yield Markup(f"command: {code(result['command'])}")


def _times100(value: float | None) -> float | None:
    return None if value is None else 100 * value

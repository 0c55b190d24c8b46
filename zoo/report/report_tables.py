"""The report's tables of what a model is: its geometry, coefficients and representation."""

import statistics
from collections.abc import Iterable, Sequence

from zoo.analysis.findings import Findings
from zoo.analysis.representation import StageRepresentation
from zoo.report.cells import NONE, Table
from zoo.report.cells import number as _n


def stages(found: Findings, caption: str) -> Table:
    """S and W by kind and stage, as table 6 of the paper."""
    rows = [
        (s.kind, s.stage, str(s.n), _n(s.saturation_mean), _n(s.saturation_std), _n(s.width_mean), _n(s.width_std))
        for s in found.stages
    ]
    return Table(caption, ("kind", "stage", "n", "S mean", "S std", "W mean", "W std"), tuple(rows), 2)


def layers(found: Findings) -> Table:
    """a, b, S and W of every layer."""
    rows = [(g.layer, g.kind, _n(g.a, 4), _n(g.b, 4), _n(g.saturation, 4), _n(g.width, 4)) for g in found.geometry]
    return Table("Every layer", ("layer", "kind", "a", "b", "S", "W"), tuple(rows), 2, detail=True)


def coefficients(found: Findings) -> Table:
    """Median, middle 90 % and dependence on the input of both coefficients."""
    rows = []
    for layer in found.coefficients:
        for name, side in (("κ_ve", layer.vertical), ("κ_ho", layer.horizontal)):
            middle = f"{_n(side['p5'])} to {_n(side['p95'])}"
            rows.append((layer.layer, name, _n(side["median"]), middle, _n(side["within"])))
    return Table("Coefficients by layer", ("layer", "", "median", "5-95 %", "within"), tuple(rows), 2)


def ranks(found: Findings, other: Findings | None) -> Table:
    """Effective rank and isotropy by stage, as table 7 of the paper."""
    return _paired(
        "Effective rank and isotropy", found, other, (("rank", "effective_rank"), ("isotropy", "isotropy")), sizes=True
    )


def moments(found: Findings, other: Findings | None) -> Table:
    """Variance, skewness and excess kurtosis by stage, as table 8 of the paper."""
    columns = (("variance", "variance"), ("skewness", "skewness"), ("kurtosis", "excess_kurtosis"))
    return _paired("Moments of all values", found, other, columns, sizes=False)


def _paired(
    caption: str, found: Findings, other: Findings | None, columns: Sequence[tuple[str, str]], *, sizes: bool
) -> Table:
    """One row a stage and one of means, the baseline's figure beside each."""
    ours = {entry.stage: entry for entry in found.representation}
    theirs = {entry.stage: entry for entry in other.representation} if other else {}
    head = ["stage", *(("d", "samples") if sizes else ())]
    for title, _ in columns:
        head += [title, "baseline"] if theirs else [title]
    rows = []
    for stage in dict.fromkeys([*ours, *theirs]):
        entry = ours.get(stage) or theirs[stage]
        cells = [stage, *((str(entry.dimensions), f"{entry.samples:,}") if sizes else ())]
        for _, name in columns:
            cells += [_field(side.get(stage), name) for side in ((ours, theirs) if theirs else (ours,))]
        rows.append(tuple(cells))
    last = ["Mean", *(("", "") if sizes else ())]
    for _, name in columns:
        last += [_mean(getattr(e, name) for e in side.values()) for side in ((ours, theirs) if theirs else (ours,))]
    return Table(caption, tuple(head), (*rows, tuple(last)))


def _field(entry: StageRepresentation | None, name: str) -> str:
    return NONE if entry is None else _n(getattr(entry, name))


def _mean(values: Iterable[float]) -> str:
    return _n(statistics.fmean(values))

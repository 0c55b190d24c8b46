"""The report's tables of how a signal travels: slopes and bounds, variance map, second moment over depth."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.analysis.findings import Findings
from zoo.analysis.variance_map import second_moment
from zoo.report.analyze_model import Analysis
from zoo.report.cells import NONE, Table
from zoo.report.cells import groups as _groups
from zoo.report.cells import number as _n


def bounds(found: Findings) -> Table | None:
    """The largest of each stage's bounds and slopes, and its mean gain."""
    if not found.bounds:
        return None
    rows = []
    for kind, stage in _groups((b.kind, b.stage) for b in found.bounds):
        group = [b for b in found.bounds if (b.kind, b.stage) == (kind, stage)]
        rows.append((
            kind, stage, str(len(group)), _largest(b.paper for b in group), _largest(b.exact for b in group),
            _largest(b.peak for b in group), _average(b.gain for b in group),
        ))  # fmt: skip
    head = ("kind", "stage", "n", "paper ≤", "possible ≤", "measured ≤", "mean gain")
    return Table("Slopes by stage: largest of each, and the mean gain", head, tuple(rows), 2)


def gains(found: Findings) -> Table | None:
    """Measured gains of the layers that have no bound here: other activations and norms."""
    bounded = {b.layer for b in found.bounds}
    rest = [s for s in found.signals if s.layer not in bounded]
    if not rest:
        return None
    rows = []
    for kind, stage in _groups((s.kind, s.stage) for s in rest):
        group = [s for s in rest if (s.kind, s.stage) == (kind, stage)]
        values = [s.gain for s in group]
        rows.append((kind, stage, str(len(group)), _n(statistics.fmean(values)), _n(max(values))))
    return Table(
        "Measured gain of other activations and norms", ("kind", "stage", "n", "mean", "largest"), tuple(rows), 2
    )


def layer_bounds(found: Findings) -> Table:
    """Bounds and measurements of every layer."""
    rows = [
        (b.layer, _n(b.radius), _n(b.paper), _n(b.exact), _n(b.anywhere), _n(b.peak), _n(b.gain)) for b in found.bounds
    ]
    head = ("layer", "R", "paper", "possible", "for any x", "measured", "gain")
    return Table("Every layer", head, tuple(rows), detail=True)


def network(analysis: Analysis) -> Table | None:
    """The bound of the network as a whole beside the largest changes found."""
    rows = []
    for subject, found in (
        (analysis.subject, analysis.findings),
        (analysis.baseline, analysis.baseline_findings),
    ):
        if subject is None or found is None:
            continue
        walk = found.propagation
        bound = _n(walk.lipschitz) if walk and walk.lipschitz is not None else NONE
        least = _n(min(found.network_gains)) if found.network_gains else NONE
        most = _n(max(found.network_gains)) if found.network_gains else NONE
        rows.append((subject.name, bound, least, most))
    if all(set(row[1:]) == {NONE} for row in rows):
        return None
    caption = "From image to output: bound, and the largest gain found at each image"
    return Table(caption, ("network", "bound ≤", "gain, least", "gain, most"), tuple(rows))


def regimes(found: Findings) -> Table:
    """Count the SALU of each stage by their side of chaos."""
    known = {g.layer: g.stage for g in found.geometry}
    maps = found.propagation.maps if found.propagation else ()
    rows = []
    for (stage,) in _groups((known[m.layer],) for m in maps):
        group = [m for m in maps if known[m.layer] == stage]
        count = {name: sum(m.regime == name for m in group) for name in ("ordered", "edge of chaos", "amplifying")}
        chi = [m.chi for m in group]
        rows.append((stage, str(len(group)), _n(min(chi)), _n(max(chi)), *(str(v) for v in count.values())))
    head = ("stage", "n", "χ least", "χ most", "ordered", "edge", "amplifying")
    return Table("Regimes of SALU by stage", head, tuple(rows))


def maps(found: Findings) -> Table:
    """The variance map of every SALU, with the second moment that was measured in front of it."""
    seen = {s.layer: s.input_moment for s in found.signals}
    rows = [
        (m.layer, m.position, _n(m.sigma_w2), _n(m.chi), m.regime, _n(m.fixed_point), _n(m.slope), _n(m.limit),
         _n(seen.get(m.layer)))
        for m in (found.propagation.maps if found.propagation else ())
    ]  # fmt: skip
    head = ("layer", "weights", "σ_w²", "χ", "regime", "q*", "slope", "limit", "measured q")  # noqa: RUF001
    return Table("Every SALU", head, tuple(rows), detail=True)


def depth(found: Findings) -> Table:
    """Geometric means of the second moment by stage, measured and predicted."""
    measured = {s.layer: s.input_moment for s in found.signals}
    told = {a.layer: a for a in found.propagation.arrivals} if found.propagation else {}
    rows = []
    for (stage,) in _groups((g.stage,) for g in found.geometry):
        names = [g.layer for g in found.geometry if g.stage == stage]
        ours = [measured[name] for name in names if measured.get(name)]
        theirs = [told[name].moment for name in names if name in told and not told[name].restarted]
        rows.append((stage, str(len(names)), _geometric(ours), _geometric([t for t in theirs if t])))
    head = ("stage", "layers", "measured", "predicted")
    return Table("E[x²] in front of the layers of each stage, geometric mean", head, tuple(rows))


def depth_layers(found: Findings) -> Table:
    """Second moments of every layer: measured, predicted from the images on, and one layer's own step."""
    seen = {s.layer: s for s in found.signals}
    told = {a.layer: a for a in found.propagation.arrivals} if found.propagation else {}
    rows = []
    for layer in found.geometry:
        signal, arrival = seen.get(layer.layer), told.get(layer.layer)
        if signal is None:
            continue
        predicted = _n(arrival.moment) if arrival and not arrival.restarted else NONE
        step = second_moment(layer, signal.input_moment)
        rows.append((layer.layer, _n(signal.input_moment), predicted, _n(signal.input_mean),
                     _n(signal.output_moment), _n(step)))  # fmt: skip
    head = ("layer", "E[x²]", "predicted", "E[x]", "E[f(x)²]", "own step")
    return Table("Every layer", head, tuple(rows), detail=True)


def _largest(values: Iterable[float | None]) -> str:
    known = list(values)
    return NONE if any(value is None for value in known) else _n(max(v for v in known if v is not None))


def _average(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _n(statistics.fmean(known)) if known else NONE


def _geometric(values: Sequence[Any]) -> str:
    return _n(statistics.geometric_mean(values)) if values else NONE

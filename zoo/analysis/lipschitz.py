"""Lipschitz bounds of SALU, SWALU and GALU: those of the paper, and the exact constants.

With u = x/W and t = u/sqrt(1 + u²) in (-1, 1), the slope of SWALU is ½·(1 + S·t·(2 - t²)). The paper bounds it by
½·(1 + S + a·R) for |x| <= R, which grows with R. But t·(2 - t²) has its maximum 4·√6/9 = 1.0887 at u = √2 [ours]:

    SWALU: ½·(1 + 1.0887·S) on the whole line, whatever stands before it; smaller where R < √2·W
    GALU:  ½·(1 + S·max t·(1 + κ·(1 - t²))), κ = x·ψ'(x)/ψ(x) in [1, 3), t taken at ψ(x): at most ½·(1 + 16/9·S)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from zoo.activations.algebra import lipschitz_galu, lipschitz_salu, lipschitz_swalu
from zoo.analysis.geometry import LayerGeometry
from zoo.analysis.signals import LayerSignal
from zoo.numerics.constants import CUBIC, SCALE
from zoo.records import Record

SWALU_PEAK = 4 * math.sqrt(6) / 9
"""The maximum of t·(2 - t²), at t = √(2/3)."""
_GRID = 200_001
_MARGIN = 1e-6


@dataclass(frozen=True)
class LayerBound(Record):
    """Largest possible and measured amplification of one SALU, SWALU or GALU.

    Args:
        layer: its path in the model.
        kind: "SALU", "SWALU" or "GALU".
        stage: the part of the network it stands in.
        radius: R, the largest |x| the bounds are for; None: any x.
        measured_radius: whether R is the largest |x| measured, rather than what theory allows.
        paper: the paper's bound for |x| <= R; None where R is unknown and it is infinite.
        exact: the largest slope for |x| <= R.
        anywhere: the largest slope for any x.
        peak: the largest slope measured; None without images.
        gain: ‖f(x + e) - f(x)‖ / ‖e‖ measured; None without images.
    """

    layer: str
    kind: str
    stage: str
    radius: float | None
    measured_radius: bool
    paper: float | None
    exact: float
    anywhere: float
    peak: float | None = None
    gain: float | None = None

    @property
    def holds(self) -> bool:
        """True if nothing measured is above the largest possible slope; 1e-6 are left to rounding."""
        return all(value is None or value <= self.exact * (1 + 1e-6) for value in (self.peak, self.gain))


def layer_bounds(
    layers: Sequence[LayerGeometry],
    signals: Sequence[LayerSignal] = (),
    radii: Mapping[str, float | None] | None = None,
) -> list[LayerBound]:
    """The bounds of each layer beside what was measured.

    Args:
        layers: from `geometry`.
        signals: from `zoo.analysis.signals`; their largest |x| becomes R.
        radii: R for layers without a signal, by path: what `zoo.analysis.propagation` allows there.
    """
    seen = {signal.layer: signal for signal in signals}
    found = []
    for layer in layers:
        signal = seen.get(layer.layer)
        known = (radii or {}).get(layer.layer)
        radius = max(signal.radius, signal.peak_radius) if signal else math.inf if known is None else known
        paper = paper_bound(layer, radius)
        found.append(
            LayerBound(
                layer.layer, layer.kind, layer.stage,
                radius if radius < math.inf else None, signal is not None,
                paper if paper < math.inf else None,
                lipschitz_constant(layer, radius), lipschitz_constant(layer),
                signal.peak if signal else None, signal.gain if signal else None,
            )
        )  # fmt: skip
    return found


def paper_bound(layer: LayerGeometry, radius: float) -> float:
    """The paper's bound on the slope for |x| <= radius: equations 6, 12 and 13; infinite for a gate at radius inf."""
    if layer.kind == "SALU":
        return float(lipschitz_salu(layer.pair))
    return float((lipschitz_swalu if layer.kind == "SWALU" else lipschitz_galu)(layer.pair, radius))


def lipschitz_constant(layer: LayerGeometry, radius: float = math.inf) -> float:
    """The largest |slope| for |x| <= radius [ours]: exact for SALU and SWALU, for GALU within 1e-6 from above."""
    if layer.kind == "SALU":
        return layer.a
    if layer.kind == "GALU":
        return (1 + layer.saturation * _galu_peak(layer, radius)) / 2
    u = radius / layer.width
    if u >= math.sqrt(2):
        return (1 + layer.saturation * SWALU_PEAK) / 2
    t = u / math.sqrt(1 + u * u)
    return (1 + layer.saturation * t * (2 - t * t)) / 2


def _galu_peak(layer: LayerGeometry, radius: float) -> float:
    """max over 0 <= x <= radius of t·(1 + κ·(1 - t²)), on a grid fine enough that the margin covers what is between.

    Beyond u = 100 the value is below 1 + 4e-4 and falls, and it has passed its maximum, which is above 1.08, before.
    """
    end = min(radius, _inverse_psi(100 * layer.width))
    x = torch.linspace(0, 1, _GRID, dtype=torch.float64) * end
    square = CUBIC * x * x
    u = SCALE * x * (1 + square) / layer.width
    ratio = (1 + 3 * square) / (1 + square)
    t = u / torch.sqrt(1 + u * u)
    return float((t * (1 + ratio * (1 - t * t))).max()) * (1 + _MARGIN)


def _inverse_psi(value: float) -> float:
    """The x >= 0 with ψ(x) = value, by bisection."""
    low, high = 0.0, value / SCALE
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if SCALE * middle * (1 + CUBIC * middle * middle) < value else (low, middle)
    return high


def largest_output(layer: LayerGeometry, radius: float) -> float:
    """An upper bound of |output| for |x| <= radius: of SALU its value there, below S; of a gate R/2·(1 + |SALU|)."""
    inner = radius
    if layer.kind == "GALU":
        inner = SCALE * radius * (1 + CUBIC * radius * radius) if radius < 1e100 else math.inf
    u = inner / layer.width
    salu = layer.saturation * (u / math.sqrt(1 + u * u) if u < 1e150 else 1.0)
    return salu if layer.kind == "SALU" else radius / 2 * (1 + salu)

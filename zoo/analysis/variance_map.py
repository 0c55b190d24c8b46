"""Variance map of a SALU: how it carries the second moment of its input, the fixed point, and the side of chaos.

V(q) = σ_w²·E[SALU(√q·z; a, b)²], z ~ N(0, 1), is concave with V(0) = 0 and slope χ = σ_w²·a² there, and stays below
σ_w²·a/b. So there are two cases [ours, from the closed form of V]: χ <= 1, the origin is the only fixed point and
attracts everything; χ > 1, the origin repels and exactly one fixed point q* > 0 attracts, with 0 < V'(q*) < 1.

Source: arXiv 2606.02927, section 4.1 and appendix D.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zoo.activations.algebra import Pair, small_variance_gain, variance_map
from zoo.activations.galu import galu
from zoo.activations.salu import salu
from zoo.activations.swalu import swalu
from zoo.analysis.geometry import LayerGeometry
from zoo.records import Record

Regime = Literal["ordered", "edge of chaos", "amplifying"]
EDGE = 0.05
"""|χ - 1| up to this is called the edge of chaos [ours: the boundary itself has no width]."""

_HALF_WIDTH, _NODES = 12.0, 24_001


@dataclass(frozen=True)
class VarianceMap(Record):
    """The variance map of one SALU with the weights it works with.

    Args:
        layer: path of the SALU.
        weight: path of the convolution or linear layer whose σ_w is taken.
        position: whether that layer stands "before" or "after" the SALU.
        sigma_w2: σ_w², the fan-in times the mean square of its weights.
        chi: χ = σ_w²·a², the factor on a small second moment.
        limit: σ_w²·a/b, which V approaches for large q.
        fixed_point: the attracting q*: 0 where χ <= 1.
        slope: V'(q*), below 1 where q* attracts.
        regime: by χ.
    """

    layer: str
    weight: str
    position: Literal["before", "after"]
    sigma_w2: float
    chi: float
    limit: float
    fixed_point: float
    slope: float
    regime: Regime


def describe_map(
    layer: LayerGeometry, weight: str, sigma_w2: float, position: Literal["before", "after"] = "before"
) -> VarianceMap:
    """The variance map of a SALU whose weights have σ_w² = `sigma_w2`, with its attracting fixed point."""
    sigma = math.sqrt(sigma_w2)
    chi = float(small_variance_gain(layer.pair, sigma))
    q = fixed_point(layer.pair, sigma)
    regime: Regime = "edge of chaos" if abs(chi - 1) <= EDGE else "ordered" if chi < 1 else "amplifying"
    limit = sigma_w2 * layer.a / layer.b
    return VarianceMap(layer.layer, weight, position, sigma_w2, chi, limit, q, map_slope(q, layer.pair, sigma), regime)


def fixed_point(pair: Pair, sigma_w: float = 1.0) -> float:
    """The attracting solution of V(q) = q: 0 where χ = σ_w²·a² <= 1, else the one q* > 0, to 12 digits."""
    if small_variance_gain(pair, sigma_w) <= 1:
        return 0.0
    low, high = 0.0, float(sigma_w**2 * pair.a / pair.b)  # V < high everywhere, and V(q) > q below q*
    for _ in range(200):
        middle = (low + high) / 2
        above = float(variance_map(middle, pair, sigma_w)) > middle
        low, high = (middle, high) if above else (low, middle)
        if high - low <= 1e-13 * high:
            break
    return (low + high) / 2


def map_slope(q: float, pair: Pair, sigma_w: float = 1.0) -> float:
    """V'(q), in closed form [ours]: χ·w³·(√π·(1 + 2w²)·erfcx(w) - 2w) with w = 1/sqrt(2abq); χ at q = 0."""
    c = float(pair.a * pair.b * q)
    chi = float(small_variance_gain(pair, sigma_w))
    if c < 1e-3:  # the difference cancels there; the series of E[z²/(1 + c·z²)²] is (-1)ⁿ(n+1)(2n+1)!!·cⁿ
        return chi * (1 - c * (6 - c * (45 - c * (420 - c * (4725 - c * 62370)))))
    w = 1 / math.sqrt(2 * c)
    erfcx = torch.special.erfcx(torch.tensor(w, dtype=torch.float64)).item()
    return float(chi * w**3 * (math.sqrt(math.pi) * (1 + 2 * w * w) * erfcx - 2 * w))


def second_moment(layers: LayerGeometry | Sequence[LayerGeometry], q: float) -> float:
    """E[f(√q·z)²] for z ~ N(0, 1), f a layer or several directly behind each other: what leaves if N(0, q) comes in.

    A SALU alone in closed form; else by the trapezoidal rule on |z| <= 12, which converges exponentially for such
    integrands.
    """
    chain = [layers] if isinstance(layers, LayerGeometry) else list(layers)
    if len(chain) == 1 and chain[0].kind == "SALU":
        return float(variance_map(q, chain[0].pair))
    z = torch.linspace(-_HALF_WIDTH, _HALF_WIDTH, _NODES, dtype=torch.float64)
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    y = math.sqrt(q) * z
    for layer in chain:
        y = _apply(layer, y)
    return float((density * y * y).sum() * (2 * _HALF_WIDTH / (_NODES - 1)))


def _apply(layer: LayerGeometry, x: Tensor) -> Tensor:
    function = {"SALU": salu, "SWALU": swalu, "GALU": galu}[layer.kind]
    return function(x, layer.a, layer.b)

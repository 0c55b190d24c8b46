"""The variance map and its fixed points, against iteration, differences, quadrature and random numbers."""

import math

import numpy as np
import pytest
import torch

from zoo.activations import galu, salu, swalu
from zoo.activations.algebra import Pair, variance_map
from zoo.analysis.geometry import LayerGeometry
from zoo.analysis.variance_map import describe_map, fixed_point, map_slope, second_moment

FUNCTIONS = {"SALU": salu, "SWALU": swalu, "GALU": galu}
MAPS = (
    (Pair(1.0, 1.0), 1.5),
    (Pair(1.0, 0.01), 2.0),
    (Pair(3.0, 2.0), 1.0),
    (Pair(1.01, 1.0), 1.0),
    (Pair(40.0, 0.1), 3.0),
)


def layer(kind: str, a: float, b: float) -> LayerGeometry:
    return LayerGeometry("x", kind, "L1", a, b, math.sqrt(a / b), 1 / math.sqrt(a * b))


@pytest.mark.parametrize(("pair", "sigma"), MAPS)
def test_an_amplifying_map_settles_at_its_fixed_point(pair, sigma):
    q = fixed_point(pair, sigma)
    assert 0 < q < sigma**2 * pair.a / pair.b
    assert variance_map(q, pair, sigma).item() == pytest.approx(q, rel=1e-9)
    moved = torch.tensor([1e-3 * q, 1e3 * q], dtype=torch.float64)
    for _ in range(1200):
        moved = variance_map(moved, pair, sigma)
    assert moved.tolist() == pytest.approx([q, q], rel=1e-6)
    assert 0 < map_slope(q, pair, sigma) < 1
    assert map_slope(0.0, pair, sigma) > 1


@pytest.mark.parametrize("a", [0.3, 0.999, 1.0])
def test_below_the_edge_everything_dies_out(a):
    pair = Pair(a, 0.7)
    assert fixed_point(pair) == 0
    assert map_slope(0.0, pair) == pytest.approx(a * a)
    q = torch.logspace(-6, 6, 50, dtype=torch.float64)
    assert (variance_map(q, pair) < q).all()


@pytest.mark.parametrize("c", [1e-5, 9.99e-4, 1.001e-3, 0.02, 1.0, 30.0, 1e4])
def test_the_slope_is_the_derivative(c):
    pair, sigma = Pair(1.3, 0.6), 1.7
    q = c / (pair.a * pair.b)
    step = 1e-4 * q
    high, low = (variance_map(q + s * step, pair, sigma).item() for s in (1, -1))
    assert map_slope(q, pair, sigma) == pytest.approx((high - low) / (2 * step), rel=1e-5)
    # E[z²/(1 + c·z²)²] by Gauss-Hermite quadrature where that converges.
    if c <= 0.02:
        z, weight = np.polynomial.hermite_e.hermegauss(120)
        mean = (weight * z**2 / (1 + c * z**2) ** 2).sum() / weight.sum()
        assert map_slope(q, pair, sigma) == pytest.approx(sigma**2 * pair.a**2 * mean, rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1.2, 0.05), (0.7, 4.0)])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_the_second_moment_behind_a_layer_is_that_of_random_inputs(kind, a, b):
    z = torch.randn(400_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for q in (0.04, 1.0, 25.0):
        y2 = FUNCTIONS[kind](math.sqrt(q) * z, a, b) ** 2
        error = y2.std().item() / math.sqrt(len(z))
        assert second_moment(layer(kind, a, b), q) == pytest.approx(y2.mean().item(), abs=5 * error)


def test_quadrature_and_closed_form_agree():
    # The trapezoidal rule of the gates, on a SALU, whose mean is known exactly.
    from zoo.analysis import variance_map as module

    wide, sharp = layer("SALU", 2.0, 0.3), layer("SALU", 30.0, 30.0)
    z = torch.linspace(-12, 12, module._NODES, dtype=torch.float64)
    for one, q in ((wide, 3.0), (sharp, 100.0)):
        density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi) * 24 / (module._NODES - 1)
        numeric = (density * module._apply(one, math.sqrt(q) * z) ** 2).sum().item()
        assert numeric == pytest.approx(second_moment(one, q), rel=1e-9)


def test_a_map_is_described_by_its_regime():
    quiet, edge, loud = (describe_map(layer("SALU", 1.0, 1.0), "conv", s) for s in (0.5, 1.04, 2.0))
    assert (quiet.regime, quiet.fixed_point, quiet.slope) == ("ordered", 0.0, pytest.approx(0.5))
    assert edge.regime == "edge of chaos"
    assert (loud.regime, loud.chi, loud.limit) == ("amplifying", pytest.approx(2), pytest.approx(2))
    assert variance_map(loud.fixed_point, Pair(1.0, 1.0), math.sqrt(2)).item() == pytest.approx(loud.fixed_point)

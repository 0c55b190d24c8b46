"""Bounds on the slope, against the slope itself."""

import math

import pytest
import torch

from zoo.activations import galu, salu, swalu
from zoo.analysis.geometry import LayerGeometry
from zoo.analysis.lipschitz import SWALU_PEAK, largest_output, layer_bounds, lipschitz_constant, paper_bound
from zoo.analysis.signals import LayerSignal

FUNCTIONS = {"SALU": salu, "SWALU": swalu, "GALU": galu}
PAIRS = ((0.5, 0.5), (2.0, 0.01), (0.3, 3.0), (5.0, 0.001), (1.0, 1.0))
RADII = (0.1, 1.0, 7.0, 60.0)


def layer(kind: str, a: float, b: float) -> LayerGeometry:
    return LayerGeometry("x", kind, "L1", a, b, math.sqrt(a / b), 1 / math.sqrt(a * b))


def slopes(kind: str, a: float, b: float, radius: float) -> torch.Tensor:
    x = torch.linspace(-radius, radius, 40_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(FUNCTIONS[kind](x, a, b).sum(), x)
    return slope.abs()


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_the_constant_is_the_largest_slope_and_the_paper_bounds_it(kind, a, b):
    for radius in RADII:
        found, largest = lipschitz_constant(layer(kind, a, b), radius), slopes(kind, a, b, radius).max().item()
        assert largest <= found * (1 + 1e-12)
        assert largest == pytest.approx(found, rel=1e-4)
        assert found <= paper_bound(layer(kind, a, b), radius) * (1 + 1e-6)


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_no_two_points_are_drawn_apart_further(kind, a, b):
    generator = torch.Generator().manual_seed(0)
    x, y = (100 * torch.randn(2, 20_000, dtype=torch.float64, generator=generator) ** 3).clamp(-1e6, 1e6)
    ratio = (FUNCTIONS[kind](x, a, b) - FUNCTIONS[kind](y, a, b)).abs() / (x - y).abs()
    assert ratio.max() <= lipschitz_constant(layer(kind, a, b)) * (1 + 1e-9)


def test_gates_have_a_constant_on_the_whole_line():
    # The paper's bound needs a bounded input; the slope does not.
    assert paper_bound(layer("SWALU", 0.5, 0.5), math.inf) == math.inf
    assert lipschitz_constant(layer("SWALU", 0.5, 0.5)) == pytest.approx((1 + SWALU_PEAK) / 2)
    t = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    assert pytest.approx((t * (2 - t * t)).max().item(), abs=1e-9) == SWALU_PEAK
    assert lipschitz_constant(layer("GALU", 0.5, 0.5)) <= (1 + 16 / 9) / 2


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_no_output_is_larger_than_said(kind, a, b):
    for radius in RADII:
        x = torch.linspace(-radius, radius, 10_001, dtype=torch.float64)
        largest = FUNCTIONS[kind](x, a, b).abs().max().item()
        assert largest <= largest_output(layer(kind, a, b), radius) * (1 + 1e-12)
    assert largest_output(layer("SALU", a, b), math.inf) == pytest.approx(math.sqrt(a / b))


def test_each_layer_takes_the_radius_that_is_known():
    gate = layer("SWALU", 0.5, 0.5)
    signal = LayerSignal("x", "SWALU", "L1", 1.0, 0.0, 0.5, 3.0, -1.0, 1.0, 0.6, 1.0, 3.5)
    measured, told, unknown = (
        layer_bounds([gate], [signal])[0],
        layer_bounds([gate], (), {"x": 2.0})[0],
        layer_bounds([gate])[0],
    )
    assert (measured.radius, measured.measured_radius, measured.gain) == (3.5, True, 0.6)
    assert measured.paper == pytest.approx((1 + 1 + 0.5 * 3.5) / 2)
    assert (told.radius, told.measured_radius, told.peak) == (2.0, False, None)
    assert (unknown.radius, unknown.paper, unknown.exact) == (None, None, unknown.anywhere)
    assert measured.holds
    assert not layer_bounds([gate], [LayerSignal("x", "SWALU", "L1", 1, 0, 1, 3.0, -1, 1, 0.6, 1.2, 3.5)])[0].holds

"""Every exact identity holds, for numbers and for tensors."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.activations import galu, salu, swalu
from zoo.activations.algebra import (
    Geometry,
    Pair,
    compose,
    fold_input_scale,
    fold_output_scale,
    from_geometry,
    geometry,
    lipschitz_galu,
    lipschitz_salu,
    lipschitz_swalu,
    psi_slope,
    slope_from_output,
    small_variance_gain,
    swalu_of_salu,
    variance_map,
)
from zoo.activations.galu import psi
from zoo.errors import ConfigurationError

from .tolerances import CHAIN_FLOAT64, QUADRATURE, VARIANCE_MAP

PAIRS = [Pair(1.0, 1.0), Pair(0.5, 0.5), Pair(1.0, 0.01), Pair(3.0, 0.2), Pair(0.1, 2.0)]
X = torch.cat([torch.linspace(-8, 8, 161), torch.tensor([1e-6, 1e6, -1e6])]).double()


def same(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=4 * CHAIN_FLOAT64, atol=4 * CHAIN_FLOAT64)


def test_geometry_and_back() -> None:
    assert geometry(Pair(1.0, 0.01)) == pytest.approx((10, 10))
    assert geometry(Pair(0.5, 0.5)) == pytest.approx((1, 2))
    for pair in PAIRS:
        assert from_geometry(*geometry(pair)) == pytest.approx(pair)
        assert geometry(pair).saturation / geometry(pair).width == pytest.approx(pair.a)
    tensors = geometry(Pair(torch.tensor([1.0, 0.5]), torch.tensor([0.01, 0.5])))
    assert isinstance(tensors, Geometry)
    torch.testing.assert_close(tensors.width, torch.tensor([10.0, 2.0]))


@pytest.mark.parametrize("outer", PAIRS, ids=str)
@pytest.mark.parametrize("inner", PAIRS, ids=str)
def test_salu_after_salu_is_one_salu(inner: Pair, outer: Pair) -> None:
    composed = compose(inner, outer)
    assert composed.a == inner.a * outer.a
    assert composed.a * composed.b == pytest.approx(inner.a * inner.b + inner.a**2 * outer.a * outer.b)
    same(salu(X, *composed), salu(salu(X, *inner), *outer))
    same(swalu_of_salu(X, inner, outer), swalu(salu(X, *inner), *outer))


def test_composition_is_associative() -> None:
    one, two, three = PAIRS[1:4]
    assert compose(compose(one, two), three) == pytest.approx(compose(one, compose(two, three)))


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1.0, 7.0])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_scales_fold(pair: Pair, scale: float) -> None:
    same(salu(scale * X, *pair), salu(X, *fold_input_scale(pair, scale)))
    same(scale * salu(X, *pair), salu(X, *fold_output_scale(pair, scale)))
    channels = torch.tensor([scale, 2 * scale]).double()
    folded = fold_input_scale(pair, channels)
    same(salu(X[:, None] * channels, *pair), salu(X[:, None], *folded))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, torch.tensor([1.0, -1.0])], ids=str)
@pytest.mark.parametrize("fold", [fold_input_scale, fold_output_scale])
def test_only_positive_scales_fold(fold, scale: float | Tensor) -> None:
    with pytest.raises(ConfigurationError, match="Only a positive scale folds"):
        fold(Pair(1.0, 1.0), scale)


def slope_of(op, x: Tensor, pair: Pair) -> Tensor:
    x = x.clone().requires_grad_()
    op(x, *pair).sum().backward()
    return x.grad


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_self_regulating_slope(pair: Pair) -> None:
    x = torch.arange(-80, 81, dtype=torch.float64) / 10
    assert (x == 0).any()
    same(slope_from_output(salu(x, *pair), x, pair.a), slope_of(salu, x, pair))


def test_slope_of_psi() -> None:
    x = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    psi(x).sum().backward()
    same(psi_slope(x.detach()), x.grad)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_lipschitz_bounds_hold_and_salus_is_reached(pair: Pair) -> None:
    assert slope_of(salu, X, pair).max().item() == pytest.approx(lipschitz_salu(pair))
    for radius in (0.1, 1.0, 5.0):
        x = torch.linspace(-radius, radius, 501).double()
        assert slope_of(swalu, x, pair).abs().max() <= lipschitz_swalu(pair, radius)
        assert slope_of(galu, x, pair).abs().max() <= lipschitz_galu(pair, radius)
    saturation = geometry(pair).saturation
    assert lipschitz_swalu(pair, saturation) == pytest.approx((1 + saturation + pair.a * saturation) / 2)


def quadrature(q: float, pair: Pair) -> float:
    """E[SALU(√q·z)²] by Gauss-Hermite nodes for the standard normal."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(128)
    values = salu(torch.from_numpy(math.sqrt(q) * nodes), *pair).numpy() ** 2
    return float((weights * values).sum() / math.sqrt(2 * math.pi))


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_variance_map_equals_the_quadrature(pair: Pair) -> None:
    for c in (0.0, 1e-8, 1e-4, 2.9e-4, 3.1e-4, 1e-2, 1.0):
        q = c / (pair.a * pair.b)
        expected = 1.3**2 * quadrature(q, pair)
        rtol = QUADRATURE if c == 1 else VARIANCE_MAP
        assert variance_map(q, pair, 1.3).item() == pytest.approx(expected, rel=rtol, abs=0)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_variance_map_between_its_two_limits(pair: Pair) -> None:
    gain, ceiling = small_variance_gain(pair, 1.3), 1.3**2 * pair.a / pair.b
    assert gain == pytest.approx(1.3**2 * pair.a**2)
    assert variance_map(1e-9, pair, 1.3).item() == pytest.approx(gain * 1e-9, rel=1e-6)
    assert variance_map(1e30, pair, 1.3).item() == pytest.approx(ceiling, rel=1e-6)
    q = torch.logspace(-12, 12, 400, dtype=torch.float64)
    v = variance_map(q, pair, 1.3)
    assert (v.diff() > 0).all()
    assert (v < torch.minimum(gain * q, torch.tensor(ceiling, dtype=torch.float64)) * (1 + VARIANCE_MAP)).all()


def test_edge_of_chaos() -> None:
    pair = Pair(2.0, 0.3)
    assert small_variance_gain(pair, 1 / pair.a) == pytest.approx(1)
    assert variance_map(0.1, pair, 1 / pair.a) < 0.1, "at the edge every variance shrinks, more and more slowly"

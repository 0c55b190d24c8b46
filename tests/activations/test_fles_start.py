"""Where FleS starts, that its coefficients stay positive, and inputs at the edge of its statistic."""

import pytest
import torch
from torch.nn import functional as F

from zoo.activations import FleS, fles
from zoo.activations.fles import GELU_STEEPNESS

from .fles_reference import LAYOUTS, VARIANTS, module, noise, reference
from .tolerances import CHAIN_FLOAT32, FLES_FLOAT32, FLES_FLOAT64, GELU_GAP

HALF = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALF], ids=str)
@pytest.mark.parametrize("variant", ["fles", "dg", "pn", "proto"])
def test_from_identity_it_is_silu_to_the_last_bit(variant: str, dtype: torch.dtype) -> None:
    stored = {} if dtype in HALF else {"dtype": dtype}  # 16 bits would round γ
    for shape, axis in LAYOUTS:
        x = noise(shape, scale=8).to(dtype)
        for given in (x, x.transpose(0, -1).contiguous().transpose(0, -1), torch.cat([x, x])[::2]):
            gate = FleS(5, axis, variant=variant, start="identity", **stored)
            assert torch.equal(gate(given), F.silu(given))
            assert all((value == 1).all() for value in gate.coefficients(given))
    edges = torch.tensor([torch.inf, torch.finfo(dtype).max, -torch.finfo(dtype).max, 0.0, -0.0], dtype=dtype)
    assert torch.equal(fles(edges, 1.0, 1.0), F.silu(edges))
    assert torch.equal(fles(edges, 1.0, 1.0).signbit(), F.silu(edges).signbit())


@pytest.mark.parametrize("channels", [*range(1, 18), 31, 64, 1536])
def test_softplus_of_the_identitys_gamma_is_exactly_one_in_any_vector(channels: int) -> None:
    gamma = FleS(channels, variant="dg", start="identity").vertical_bias
    assert (gamma >= 0.54132479).all()
    assert (gamma <= 0.54132497).all()
    assert (F.softplus(gamma) == 1).all()


def test_from_identity_the_shifted_variant_is_silu_but_for_rounding() -> None:
    x = noise((3, 7, 5), scale=8)
    y = FleS(5, variant="adas", start="identity")(x)
    torch.testing.assert_close(y, F.silu(x), rtol=CHAIN_FLOAT32, atol=CHAIN_FLOAT32)


def test_with_its_steepness_it_is_the_sigmoid_form_of_gelu() -> None:
    x = torch.linspace(-10, 10, 20001).view(1, -1, 1)
    y = FleS(1, start="identity", steepness=GELU_STEEPNESS)(x)
    torch.testing.assert_close(y, x * torch.sigmoid(1.702 * x), rtol=CHAIN_FLOAT32, atol=CHAIN_FLOAT32)
    assert 0 < (y - F.gelu(x)).abs().max() < GELU_GAP


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_papers_start_is_near_one(variant: str) -> None:
    gate, x = FleS(5, variant=variant), noise((4, 6, 5))
    p = dict(gate.named_parameters())
    assert (p["vertical_bias"] == 0.6).all()
    assert (p["horizontal_bias"] == 0.6).all()
    assert variant == "dg" or ((p["vertical_norm"] == 1e-3).all() and (p["horizontal_norm"] == 1e-3).all())
    for kappa in gate.coefficients(x):
        assert ((kappa > 1.03) & (kappa < 1.05)).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_coefficients_are_positive_whatever_was_learned(variant: str) -> None:
    gate = module(variant)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.mul_(20)
        gate.vertical_bias.fill_(-30)  # legal: softplus makes it a small κ
    for kappa in gate.coefficients(noise((6, 9, 5), scale=50)):
        assert (kappa >= 0).all()
        assert kappa.isfinite().all()
    if variant == "dg":
        assert (gate.coefficients(noise((1, 5)))[0] > 0).all()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("value", [-1.0, 0.0, -0.0], ids=str)
def test_where_no_element_is_positive_mu_is_one(variant: str, value: float) -> None:
    gate, x = module(variant), torch.full((3, 4, 5), value, requires_grad=True)
    y = gate(x)
    torch.testing.assert_close(y.double(), reference(gate, x), rtol=FLES_FLOAT32, atol=FLES_FLOAT32)
    y.sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in gate.parameters())
    if variant in ("fles", "proto") or (value == 0 and variant == "pn"):
        ones = gate.coefficients(x, mean=torch.ones(3, 5))
        assert all(torch.equal(a.expand_as(b), b) for a, b in zip(gate.coefficients(x), ones, strict=True))


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-60, 3.0, 2.0**1000])
def test_mu_does_not_depend_on_the_scale_of_the_input(scale: float) -> None:
    gate, x = module("fles").double(), noise((3, 7, 5)).double()
    for here, there in zip(gate.coefficients(x), gate.coefficients(x * scale), strict=True):
        torch.testing.assert_close(here, there, rtol=FLES_FLOAT64, atol=0)


def test_mu_is_right_where_the_sum_over_the_channels_overflows() -> None:
    gate, x = module("fles"), torch.full((1, 2, 5), torch.finfo(torch.float32).max / 2)
    for kappa, wanted in zip(gate.coefficients(x), gate.coefficients(torch.ones(1, 2, 5)), strict=True):
        torch.testing.assert_close(kappa, wanted, rtol=FLES_FLOAT32, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("shape", "axis"), [((2, 0, 5), -1), ((2, 5, 0, 3), 1), ((0, 4, 5), -1)], ids=str)
def test_without_positions_or_samples_nothing_is_undefined(variant: str, shape: tuple, axis: int) -> None:
    gate, x = module(variant, axis), torch.zeros(shape, requires_grad=True)
    y = gate(x)
    assert y.shape == shape
    y.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in gate.parameters())
    assert all(kappa.isfinite().all() for kappa in gate.coefficients(x))

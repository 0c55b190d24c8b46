"""The operators equal their definitions for every input, at the limits too."""

import math

import pytest
import torch
from torch import Tensor

from zoo.activations import galu, salu, swalu

from .cases import FAMILY, PAIRS, SHAPES, all_values, exact, float32_values, functional
from .tolerances import CANCELLATION_FLOAT32, CHAIN_FLOAT32, CHAIN_FLOAT64, SUBNORMAL_FLOAT32


def scalars(a: float, b: float, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)


def arithmetic_error(name: str, x: Tensor, expected: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """What float32 arithmetic may change before the result is rounded to the dtype of x."""
    error = CHAIN_FLOAT32 * expected.abs() + SUBNORMAL_FLOAT32
    if name != "salu":
        error = error + CANCELLATION_FLOAT32 * x.double().abs() * (1 + (a.double() / b.double()).sqrt())
    return error


@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("name", FAMILY)
def test_every_finite_input_gives_the_rounded_exact_value(name: str, dtype: torch.dtype, pair: tuple) -> None:
    x = float32_values() if dtype == torch.float32 else all_values(dtype)
    a, b = scalars(*pair)
    y = functional(name)(x, a, b)
    assert y.dtype == dtype
    assert not y.isnan().any()
    expected = exact(name, x, a, b)
    error = arithmetic_error(name, x, expected, a, b)
    # Rounding is monotone: the result lies between the roundings of the ends, which are inf beyond the dtype's range.
    wrong = ~((y >= (expected - error).to(dtype)) & (y <= (expected + error).to(dtype)))
    assert not wrong.any(), f"x={x[wrong][:3]}: got {y[wrong][:3]}, exact {expected[wrong][:3]}"


@pytest.mark.parametrize("name", FAMILY)
def test_float64_is_computed_in_float64(name: str) -> None:
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    a, b = scalars(0.7, 0.3, torch.float64)
    y = functional(name)(x, a, b)
    torch.testing.assert_close(y, exact(name, x, a, b), rtol=CHAIN_FLOAT64, atol=CHAIN_FLOAT64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("pair", PAIRS[:5], ids=str)
def test_salu_reaches_its_saturation_at_infinity(pair: tuple, dtype: torch.dtype) -> None:
    x = torch.tensor([math.inf, -math.inf, math.nan], dtype=dtype)
    y = salu(x, *pair)
    saturation = torch.tensor(math.sqrt(pair[0] / pair[1]), dtype=torch.float64)
    torch.testing.assert_close(
        y[:2].double(), saturation * torch.tensor([1.0, -1.0], dtype=torch.float64), rtol=torch.finfo(dtype).eps, atol=0
    )
    assert y[2].isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("pair", "at_minus_infinity"),
    [((0.5, 0.5), 0.0), ((1.7, 1.7), 0.0), ((0.5, 1.0), -math.inf), ((1.0, 0.5), math.inf)],
    ids=["S=1", "S=1, another slope", "S<1", "S>1"],
)
@pytest.mark.parametrize("gate", [swalu, galu])
def test_gates_follow_their_limits(gate, pair: tuple, at_minus_infinity: float, dtype: torch.dtype) -> None:
    y = gate(torch.tensor([math.inf, -math.inf, math.nan], dtype=dtype), *pair)
    assert y[:2].tolist() == [math.inf, at_minus_infinity]
    assert y[2].isnan()


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape_and_memory_layout(name: str, shape: tuple) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    y = functional(name)(x, 0.9, 0.4)
    assert y.shape == x.shape
    turned = tuple(reversed(range(x.ndim)))
    torch.testing.assert_close(functional(name)(x.permute(turned), 0.9, 0.4), y.permute(turned))


@pytest.mark.parametrize("name", FAMILY)
def test_channels_last_stays_channels_last(name: str) -> None:
    x = torch.randn(2, 4, 3, 3).to(memory_format=torch.channels_last)
    assert functional(name)(x, 0.9, 0.4).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", FAMILY)
def test_parameters_may_have_any_precision_and_any_shape_that_broadcasts(name: str) -> None:
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
    a, b = torch.rand(4) + 0.5, torch.rand(4) + 0.5
    expected = torch.stack([functional(name)(x[:, i], a[i], b[i]) for i in range(4)], 1)
    torch.testing.assert_close(functional(name)(x, a, b), expected)
    half = functional(name)(x, torch.tensor(0.5, dtype=torch.bfloat16), torch.tensor(0.25, dtype=torch.float64))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, functional(name)(x, 0.5, 0.25))


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize(("stored", "effective"), [(-0.5, 0.5), (0.0, 1e-6), (-1e-9, 1e-6), (3e-7, 1e-6)])
def test_stored_values_act_as_positive_ones(name: str, stored: float, effective: float) -> None:
    x = torch.linspace(-3, 3, 13)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            torch.testing.assert_close(functional(name)(x, stored, 2.0), functional(name)(x, effective, 2.0))
            torch.testing.assert_close(functional(name)(x, 2.0, stored), functional(name)(x, 2.0, effective))


@pytest.mark.parametrize("name", FAMILY)
def test_nan_parameters_are_not_hidden(name: str) -> None:
    assert functional(name)(torch.ones(2), math.nan, 1.0).isnan().all()
    assert functional(name)(torch.ones(2), 1.0, math.nan).isnan().all()


@pytest.mark.parametrize("name", FAMILY)
def test_a_default_device_changes_nothing(name: str) -> None:
    with torch.device("cpu"):
        assert functional(name)(torch.ones(2), 1.0, 1.0).device.type == "cpu"


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_integers_are_refused(name: str, dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=r"floating-point tensor is needed.*x\.float\(\)"):
        functional(name)(torch.ones(2, dtype=dtype), 1.0, 1.0)

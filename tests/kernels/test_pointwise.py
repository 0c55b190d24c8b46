"""SALU, its gates and the composites as kernels: every value and gradient against float64, in Triton's interpreter."""

import pytest
import torch
from torch import Tensor

from zoo.errors import ConfigurationError, ShapeError
from zoo.kernels.custom_ops import operator
from zoo.numerics.operators import DEFINITIONS

from .cases import DTYPES, LAYOUTS, NAMES, NUMBERS, PAIRS, SKIP, VALUES, arranged, inputs, quick, takes_skip, upstream
from .checks import agree, repeat_exactly
from .tolerances import CHAIN

pytestmark = [
    pytest.mark.usefixtures("interpreted", "filled_memory"),
    # The interpreter is numpy, which warns of the overflow that hardware takes in its stride.
    pytest.mark.filterwarnings("ignore:(overflow|invalid value|divide by zero) encountered:RuntimeWarning"),
]

ODD = 2 * 1024 + 3
INF, NAN = torch.inf, torch.nan
EXTREMES = torch.tensor(
    [0.0, -0.0, 1e-45, -1e-40, 1e-30, 1.0, -1.0, 300.0, -300.0, 1e4, -1e4, 1e19, -1e19, 3e38, -3e38, INF, -INF, NAN]
)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    agree(name, inputs(name, (ODD,), dtype))


@pytest.mark.parametrize("name", ["salu", "swalu", "galu", "salu_swalu"])
@pytest.mark.parametrize("pair", quick(PAIRS, (1.0, 1.0), (3.0, 0.2), (1e-6, 1e4)), ids=str)
def test_extremes(name: str, pair: tuple[float, float]) -> None:
    """±inf, NaN, the largest and the smallest values give what the definition in float32 gives."""
    a, b = pair
    values = (a, b, b, a)[: NUMBERS[name]]
    x = EXTREMES.clone().requires_grad_()
    scalars = [torch.tensor(v) for v in values]
    y = operator(name)(x, *scalars)
    want = DEFINITIONS[name].value(x.detach(), *scalars)
    # In the limits: infinite where the definition is, exactly 0 where it is 0, ±S up to the rounding of S.
    limits = ~x.detach().isfinite()
    torch.testing.assert_close(y.detach()[limits], want[limits], rtol=CHAIN, atol=0, equal_nan=True)
    assert torch.equal(y.detach().isnan(), want.isnan())
    size = max(1.0, *((p / q) ** 0.5 for p, q in zip(values[::2], values[1::2], strict=True)))
    magnitude = x.detach().abs().nan_to_num() * size + want.abs().nan_to_num()
    assert bool(((y - want).detach().abs().nan_to_num() <= CHAIN * magnitude).all())
    (dx,) = torch.autograd.grad(y.sum(), x)
    slope = DEFINITIONS[name].gradients(x.detach(), *scalars)[0]
    assert torch.equal(dx.isnan(), slope.isnan())
    assert bool(((dx - slope).abs().nan_to_num() <= CHAIN * (slope.abs().nan_to_num() + size + max(values))).all())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["swalu", "salu_add_salu_swalu"])
def test_layouts(name: str, layout: str) -> None:
    found = [t.detach() for t in inputs(name, (2, 3, 4, 5))]
    found[0] = arranged(found[0], layout)
    found = [t.requires_grad_() for t in found]
    agree(name, found)
    y = operator(name)(*found)
    assert y.stride() == torch.empty_like(found[0]).stride()
    assert torch.autograd.grad(y, found[0], upstream(y))[0].stride() == y.stride()


def test_shortcut_and_gradient_in_another_layout() -> None:
    found = [t.detach() for t in inputs("salu_add_swalu", (2, 3, 4, 5))]
    found[SKIP] = arranged(found[SKIP], "channels-last")
    found = [t.requires_grad_() for t in found]
    agree("salu_add_swalu", found, lambda *values: operator("salu_add_swalu")(*values).contiguous().permute(0, 1, 2, 3))
    y = operator("salu_add_swalu")(*found)
    transposed = upstream(y).transpose(2, 3).contiguous().transpose(2, 3)
    first = torch.autograd.grad(y, found, transposed)
    second = torch.autograd.grad(operator("salu_add_swalu")(*found), found, transposed.contiguous())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_more_strides_than_a_kernel_takes() -> None:
    x = torch.randn(4, 4, 4, 4, 4, 4)[::2, ::2, ::2, ::2, ::2, ::2]
    agree("salu", [x.requires_grad_(), *inputs("salu", ())[1:]])


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (1, 1, 1, 1), (1, 5)], ids=str)
@pytest.mark.parametrize("name", ["galu", "salu_add_swalu"])
def test_small_and_empty(name: str, shape: tuple[int, ...]) -> None:
    found = inputs(name, shape)
    y = operator(name)(*found)
    assert y.shape == shape
    gradients = torch.autograd.grad(y, found, upstream(y))
    if y.numel() == 0:
        assert all(g.item() == 0 for g in gradients if g.numel())
    else:
        agree(name, found)


@pytest.mark.parametrize("values", [(-0.7, 1.2), (1e-9, 1.0), (0.5, -1e-12), (0.0, 0.0)], ids=str)
def test_scalars_below_the_floor(values: tuple[float, float]) -> None:
    for name in ("salu", "swalu"):
        agree(name, inputs(name, (37,), values=values))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_scalars_in_16_bits(dtype: torch.dtype) -> None:
    agree("salu_swalu", inputs("salu_swalu", (37,), torch.bfloat16, scalar_dtype=dtype))


def test_scalars_of_one_element() -> None:
    x, a, b = inputs("salu", (7,))
    agree("salu", [x, a.detach().view(1).requires_grad_(), b])


@pytest.mark.parametrize("name", NAMES)
def test_same_inputs_give_equal_bits(name: str) -> None:
    repeat_exactly(name, inputs(name, (ODD,)))


@pytest.mark.parametrize("wanted", range(6))
def test_only_the_gradients_wanted(wanted: int) -> None:
    name = "salu_add_swalu"
    found = inputs(name, (70,))
    y = operator(name)(*found)
    every = torch.autograd.grad(y, found, upstream(y))
    alone = [t.detach().requires_grad_(i == wanted) for i, t in enumerate(found)]
    (got,) = torch.autograd.grad(operator(name)(*alone), [alone[wanted]], upstream(y))
    assert torch.equal(got, every[wanted])


def test_the_pair_keeps_one_tensor_and_the_residual_two() -> None:
    for name in NAMES:
        kept: list[Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: (kept.append(t), t)[1], lambda t: t):
            operator(name)(*inputs(name, (64,)))
        assert sum(t.numel() == 64 for t in kept) == (2 if takes_skip(name) else 1)


def test_refusals() -> None:
    x, a, b = inputs("salu", (4,))
    with pytest.raises(ConfigurationError, match="float64"):
        operator("salu")(x.double(), a, b)
    with pytest.raises(ShapeError, match="one number each"):
        operator("salu")(x, a.expand(4), b)
    _, a, b, _, c, d = inputs("salu_add_swalu", (4,), values=VALUES)
    with pytest.raises(ShapeError, match="shortcut"):
        operator("salu_add_swalu")(x, a, b, x[:1], c, d)

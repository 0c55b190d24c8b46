"""FleS and the mean of the positive elements in C++: values and every gradient against float64."""

import pytest
import torch
from torch import Tensor

from tests.activations.cases import all_values, float32_values
from zoo.activations import fles
from zoo.activations.channel_means import positive_mean
from zoo.errors import ConfigurationError, ShapeError
from zoo.kernels import cpu
from zoo.numerics.operators import DEFINITIONS

from .cases import DTYPES, LAYOUTS, arranged, fles_inputs, upstream
from .checks import agree
from .cpu_cases import CHAIN, INSTRUCTIONS, SIGMOID_TAIL, instructions, needs_kernels, torch_threads, within

pytestmark = [needs_kernels, pytest.mark.usefixtures("filled_memory")]

# (shape of x, shape of both coefficients): maps and tokens, channels and positions below, at and beyond a step of the
# loops, rows of more than one piece, coefficients of a channel alone, of a sample alone and of all elements alike.
CASES = [
    ((2, 3, 5, 6), (2, 3, 1, 1)),
    ((2, 40, 7, 7), (2, 40, 1, 1)),
    ((3, 2, 64, 1), (1, 2, 1, 1)),
    ((2, 49, 33), (2, 1, 33)),
    ((2, 300, 32), (32,)),
    ((1, 9, 70), (1, 1, 70)),
    ((2, 2, 4100), (2, 2, 1)),
    ((4, 5), (4, 5)),
    ((5, 4), (4,)),
    ((6, 50), (6, 1)),
    ((1,), (1,)),
    ((40,), ()),
    ((), ()),
]
IDS = [f"{x}-{c}".replace(" ", "") for x, c in CASES]


@pytest.mark.parametrize("which", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "coefficients"), CASES, ids=IDS)
def test_values_and_gradients(
    shape: tuple[int, ...], coefficients: tuple[int, ...], dtype: torch.dtype, which: str
) -> None:
    with instructions(which):
        found = fles_inputs(shape, coefficients, dtype)
        agree("fles", found)
        if len(shape) == 4:
            last = found[0].detach().to(memory_format=torch.channels_last).requires_grad_()
            agree("fles", [last, *found[1:]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_x_and_its_gradient(layout: str) -> None:
    x, v, h = (t.detach() for t in fles_inputs((2, 3, 4, 5), (2, 3, 1, 1), torch.bfloat16))
    x = arranged(x, layout)
    grad = arranged(upstream(x), layout)
    dense = [x.clone(memory_format=torch.contiguous_format), v, h]
    want = [cpu.forward("fles", dense), *cpu.backward("fles", grad.clone(), dense, [True] * 3)]
    y = cpu.forward("fles", [x, v, h])
    for got, exactly in zip([y, *cpu.backward("fles", grad, [x, v, h], [True] * 3)], want, strict=True):
        assert got is not None
        assert exactly is not None
        torch.testing.assert_close(got, exactly, rtol=CHAIN, atol=CHAIN)
        assert got.shape != x.shape or got.stride() == torch.empty_like(x).stride()


@pytest.mark.parametrize("which", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("v", "h"), [(1.0, 1.0), (1.0, 1.702), (-2.0, 0.3), (0.5, -1.0), (3.0, 1e-30), (1.0, 0.0)])
def test_every_value(v: float, h: float, dtype: torch.dtype, which: str) -> None:
    x = float32_values() if dtype == torch.float32 else all_values(dtype)
    exact, vertical, horizontal = x.double(), torch.tensor(v), torch.tensor(h)
    z = exact * h
    with instructions(which):
        got = cpu.forward("fles", [x, vertical, horizontal])
        dx = cpu.backward("fles", torch.ones_like(x), [x, vertical, horizontal], [True, False, False])[0]
    assert dx is not None
    # σ(z) falls as exp(z), whose relative error is that of z, which is rounded: |z| times the chain.
    steep = exact * (h if abs(h) >= 2.0**-64 else 2.0**-64)
    gate = torch.sigmoid(steep)
    room = CHAIN * (1 + steep.abs().clamp_max(200)) * (exact * v * gate).abs() + SIGMOID_TAIL * (exact * v).abs()
    within(got, v * gate * exact, room)
    gate = torch.sigmoid(z)
    slope = v * (gate + z * gate * (1 - gate))
    within(dx, slope, CHAIN * abs(v) * (1 + z.abs().clamp_max(200)))


@pytest.mark.parametrize("h", [1.0, -0.5])
def test_limits(h: float) -> None:
    """NaN at -inf, as torch's SiLU, and NaN stays NaN."""
    x = torch.tensor([torch.inf, -torch.inf, torch.nan, -300.0, 300.0, 0.0])
    for start in range(len(x)):  # alone, and beside others
        for found in (x[start : start + 1], x[start:].repeat(40)):
            tensors = [found, torch.tensor(2.0), torch.tensor(h)]
            want = DEFINITIONS["fles"].value(*tensors)
            torch.testing.assert_close(cpu.forward("fles", tensors), want, rtol=CHAIN, atol=0, equal_nan=True)
            dx = cpu.backward("fles", torch.ones_like(found), tensors, [True, False, False])[0]
            slope = DEFINITIONS["fles"].gradients(*tensors)[0]
            assert dx is not None
            torch.testing.assert_close(dx, slope, rtol=CHAIN, atol=CHAIN, equal_nan=True)


def test_a_gate_without_steepness_is_half_of_x() -> None:
    x = torch.tensor([-3.0, 0.0, 5.0])
    got = cpu.forward("fles", [x, torch.tensor(1.0), torch.tensor(0.0)])
    torch.testing.assert_close(got, fles(x, 1.0, 0.0, kernel="plain"), rtol=CHAIN, atol=0)


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 40, 3, 11)])
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels-last"])
def test_only_what_is_needed(shape: tuple[int, ...], last: bool) -> None:
    found = [t.detach() for t in fles_inputs(shape, (*shape[:2], 1, 1))]
    found[0] = found[0].to(memory_format=torch.channels_last) if last else found[0]
    grad = upstream(found[0])
    everything = cpu.backward("fles", grad, found, [True] * 3)
    for number in range(8):
        needs = [bool(number >> i & 1) for i in range(3)]
        for got, want, need in zip(cpu.backward("fles", grad, found, needs), everything, needs, strict=True):
            assert (got is not None) == need
            assert got is None or (want is not None and torch.equal(got, want))


def masks(x: Tensor, axis: int) -> list[Tensor | None]:
    """None, and one for the positions of each sample, the last of which counts nothing."""
    shape = [*x.shape[:axis], *x.shape[axis + 1 :]]
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.6
    mask[-1] = False
    return [None, mask]


@pytest.mark.parametrize("which", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "axis"), [((3, 5, 6, 7), 1), ((2, 6, 9, 40), 3), ((2, 3, 70, 60), 1)])
def test_positive_mean(shape: tuple[int, ...], axis: int, layout: str, dtype: torch.dtype, which: str) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    x[0].select(axis - 1, 0).neg_().clamp_max_(0)  # a channel without positive elements
    x = arranged(x, layout)
    for mask in masks(x, axis):
        keep = None if mask is None else mask.unsqueeze(axis)
        exact = x.double().requires_grad_()
        want = positive_mean(exact, axis, shape[axis], mask)
        grad = torch.randn(want.shape, generator=torch.Generator().manual_seed(3))
        slope = torch.autograd.grad(want, exact, grad.double())[0]
        with instructions(which):
            got, count = cpu.mean(x, axis, keep)
            dx = cpu.mean_backward(grad, x, count, axis, keep)
        assert got.dtype == count.dtype == torch.float32
        within(got, want.detach(), CHAIN * want.detach())
        within(dx, slope, CHAIN * slope.abs())
        assert dx.stride() == torch.empty_like(x).stride()


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels-last"])
def test_positive_mean_of_nan_and_of_infinity(last: bool) -> None:
    """NaN and inf reach the mean of their own channel, and none where the mask leaves them out."""
    x = torch.ones(1, 40, 5, 8)
    x[0, 1, 0, 3], x[0, 2, 4, 7], x[0, 3, 0, 0] = torch.nan, torch.inf, -torch.inf
    x = x.to(memory_format=torch.channels_last) if last else x
    got, count = cpu.mean(x, 1)
    want = positive_mean(x, 1, 40)
    torch.testing.assert_close(got, want, equal_nan=True, rtol=CHAIN, atol=0)
    dx = cpu.mean_backward(torch.ones(1, 40), x, count, 1)
    wide = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(positive_mean(wide, 1, 40), wide, torch.ones(1, 40))
    torch.testing.assert_close(dx, slope, rtol=CHAIN, atol=0)
    keep = torch.zeros(1, 1, 5, 8)
    keep[0, 0, 2] = 2.0
    masked, number = cpu.mean(x, 1, keep)
    assert torch.equal(masked, torch.ones(1, 40))
    assert torch.equal(number, torch.full((1, 40), 8.0))


def test_empty() -> None:
    v, h = torch.ones(2, 3, 1, 1), torch.ones(3, 1, 1)
    x = torch.ones(2, 3, 0, 4)
    assert cpu.forward("fles", [x, v, h]).shape == x.shape
    for got, value in zip(cpu.backward("fles", x, [x, v, h], [True] * 3), (x, v, h), strict=True):
        assert got is not None
        assert torch.equal(got, torch.zeros_like(value))
    mean, count = cpu.mean(x, 1)
    assert torch.equal(mean, torch.zeros(2, 3))
    assert torch.equal(count, torch.zeros(2, 3))
    assert cpu.mean_backward(mean, x, count, 1).shape == x.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels-last"])
def test_the_same_for_any_number_of_threads(last: bool, dtype: torch.dtype) -> None:
    found = [t.detach() for t in fles_inputs((3, 7, 40, 51), (3, 7, 1, 1), dtype)]
    found[0] = found[0].to(memory_format=torch.channels_last) if last else found[0]
    grad = upstream(found[0])
    results = []
    for count in (1, 2, 5):
        with torch_threads(count):
            mean, number = cpu.mean(found[0], 1)
            dx = cpu.mean_backward(mean, found[0], number, 1)
            pieces = [cpu.forward("fles", found), *cpu.backward("fles", grad, found, [True] * 3)]
            results.append([mean, number, dx, *pieces])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_refusals() -> None:
    x = torch.ones(2, 3, 4)
    with pytest.raises(ShapeError, match="two axes"):
        cpu.forward("fles", [x, torch.ones(2, 3, 4), torch.ones(())])
    with pytest.raises(ShapeError, match=r"\(5,\)"):
        cpu.forward("fles", [x, torch.ones(5), torch.ones(())])
    with pytest.raises(ConfigurationError, match="float64"):
        cpu.mean(x.double(), 1)

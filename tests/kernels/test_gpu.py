"""The kernels on a CUDA device, compiled: the same comparisons with float64, and tensors that need 64-bit offsets."""

import pytest
import torch
from torch import Tensor

from zoo.kernels.custom_ops import operator
from zoo.numerics.operators import DEFINITIONS

from .cases import DTYPES, LAYOUTS, NAMES, NUMBERS, PAIRS, arranged, fles_inputs, inputs, upstream
from .checks import agree, mean_agrees, repeat_exactly
from .tolerances import CHAIN

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.usefixtures("filled_memory"),
]

ODD = 2 * 1024 + 3
LARGE = 2**23 + 7


@pytest.mark.parametrize("n", [ODD, LARGE])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name: str, dtype: torch.dtype, n: int) -> None:
    agree(name, inputs(name, (n,), dtype, "cuda"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", NAMES)
def test_layouts(name: str, layout: str) -> None:
    found = inputs(name, (2, 3, 4, 5), torch.float32, "cuda")
    found[0] = arranged(found[0], layout).detach().requires_grad_()
    agree(name, found)
    assert operator(name)(*found).stride() == torch.empty_like(found[0]).stride()


@pytest.mark.parametrize("name", ["salu", "swalu", "galu", "salu_swalu"])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_limits(name: str, a: float, b: float) -> None:
    """At ±inf and NaN, and where squares overflow, the kernel gives what the definition gives on the CPU."""
    scalars = [torch.tensor(v) for v in (a, b, b, a)[: NUMBERS[name]]]
    x = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0])
    want = DEFINITIONS[name].value(x, *scalars)
    got = operator(name)(x.cuda(), *(p.cuda() for p in scalars)).cpu()
    torch.testing.assert_close(got, want, rtol=CHAIN, atol=0, equal_nan=True)
    large = torch.tensor([3e38, -3e38, 1e19, -1e19], device="cuda")
    assert not operator(name)(large, *(p.cuda() for p in scalars)).isnan().any()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (1, 5)], ids=str)
def test_small_and_empty(shape: tuple[int, ...]) -> None:
    found = inputs("salu_add_swalu", shape, device="cuda")
    y = operator("salu_add_swalu")(*found)
    gradients = torch.autograd.grad(y, found, upstream(y))
    assert [g.shape for g in gradients] == [t.shape for t in found]


@pytest.mark.parametrize("name", NAMES)
def test_same_inputs_give_equal_bits(name: str) -> None:
    repeat_exactly(name, inputs(name, (LARGE,), torch.bfloat16, "cuda"))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [7, 56])
def test_fles(size: int, dtype: torch.dtype, channels_last: bool) -> None:
    x, v, h = fles_inputs((4, 96, size, size), (4, 96, 1, 1), dtype, "cuda")
    form = torch.channels_last if channels_last else torch.contiguous_format
    x = x.detach().to(memory_format=form).requires_grad_()
    agree("fles", [x, v, h])
    repeat_exactly("fles", [x, v, h])
    mean_agrees(x, 1, None)
    mean_agrees(x, 1, torch.rand(4, size, size, device="cuda") > 0.3)


def test_tokens() -> None:
    x, v, h = fles_inputs((3, 197, 384), (3, 1, 384), torch.bfloat16, "cuda")
    agree("fles", [x, v, h])
    mean_agrees(x, -1, torch.rand(3, 197, device="cuda") > 0.3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_more_than_two_to_the_31_elements(dtype: torch.dtype) -> None:
    """The first and the last elements of x, y and dx, and the sum over all of them."""
    n = 2**31 + 2**12 + 16
    free, _ = torch.cuda.mem_get_info()
    if free < 5 * 2 * n:
        pytest.skip(f"needs {5 * 2 * n / 2**30:.0f} GiB of GPU memory")
    torch.use_deterministic_algorithms(False)
    x = torch.zeros(n, dtype=dtype, device="cuda")
    ends = torch.linspace(-3, 3, 64, device="cuda").to(dtype)
    x[:64], x[-64:] = ends, ends
    a, b = (torch.tensor(v, device="cuda", requires_grad=True) for v in (1.3, 0.7))
    x.requires_grad_()
    y = operator("salu")(x, a, b)
    dx, da, db = torch.autograd.grad(y, (x, a, b), torch.ones_like(y))
    short = torch.cat([ends, ends]).requires_grad_()
    want = operator("salu")(short, a, b)
    slopes = torch.autograd.grad(want, (short, a, b), torch.ones_like(want))
    pieces: list[tuple[Tensor, Tensor]] = [(y, want), (dx, slopes[0])]
    for got, small in pieces:
        torch.testing.assert_close(torch.cat([got[:64], got[-64:]]), small, rtol=0, atol=0)
    torch.testing.assert_close(torch.stack([da, db]), torch.stack(slopes[1:]), rtol=CHAIN, atol=CHAIN)

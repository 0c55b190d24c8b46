"""The backward pass: closed forms, in any order of differentiation, with nothing stored but the input."""

import weakref

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.graph import saved_tensors_hooks

from zoo.numerics.saturating_unit import direction, guard

from .cases import FAMILY, PAIRS, all_values, float32_values, functional, slopes
from .tolerances import CANCELLATION_FLOAT32, CLAMPED_SLOPE, CUBED_CHAIN_FLOAT32, SUBNORMAL_FLOAT32, SUM_FLOAT32

# Forward-mode differentiation loads rules that PyTorch itself still compiles with torch.jit.script.
forward_mode = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")


def leaves(pair: tuple = (0.9, 0.4), dtype: torch.dtype = torch.float64, n: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.linspace(-4, 4, n, dtype=dtype, requires_grad=True)
    a, b = (torch.tensor(p, dtype=dtype, requires_grad=True) for p in pair)
    return x, a, b


@pytest.mark.parametrize("pair", [*PAIRS[:5], (-0.9, 0.4), (0.9, -0.4)], ids=str)
@forward_mode
@pytest.mark.parametrize("name", FAMILY)
def test_first_and_second_derivatives(name: str, pair: tuple) -> None:
    inputs = leaves(pair)
    assert gradcheck(functional(name), inputs, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(functional(name), inputs)


@forward_mode
@pytest.mark.parametrize("name", FAMILY)
def test_derivatives_of_broadcast_parameters(name: str) -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    a = (torch.rand(4, dtype=torch.float64) + 0.5).requires_grad_()
    b = (torch.rand(3, 1, dtype=torch.float64) + 0.5).requires_grad_()
    assert gradcheck(functional(name), (x, a, b), check_forward_ad=True)


@pytest.mark.parametrize("pair", PAIRS[:5], ids=str)
@pytest.mark.parametrize("name", FAMILY)
def test_slopes_equal_the_closed_forms_for_every_finite_float32(name: str, pair: tuple) -> None:
    values = float32_values()
    values = values[values.abs() < 1e30]  # beyond, the exact d/da of the gates leaves float32's range
    x = values.requires_grad_()
    a, b = (torch.full_like(values, p, requires_grad=True) for p in pair)  # one each, to see the slopes unsummed
    functional(name)(x, a, b).sum().backward()
    scale = 1 + (pair[0] / pair[1]) ** 0.5
    for got, expected, size in zip(
        (x.grad, a.grad, b.grad),
        slopes(name, x, a, b),
        (scale, values.abs() * scale, values.abs() * scale),
        strict=True,
    ):
        error = CUBED_CHAIN_FLOAT32 * expected.abs() + SUBNORMAL_FLOAT32 + CLAMPED_SLOPE * pair[0]
        if name != "salu":
            error = error + CANCELLATION_FLOAT32 * torch.as_tensor(size).double()
        assert got.isfinite().all()
        assert ((got.double() - expected).abs() <= error).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_every_gradient_of_salu_is_finite(pair: tuple, dtype: torch.dtype) -> None:
    values = float32_values() if dtype == torch.float32 else all_values(dtype)
    x = values.requires_grad_()
    a, b = (torch.full(values.shape, p, requires_grad=True) for p in pair)
    functional("salu")(x, a, b).backward(torch.ones_like(x))
    assert all(p.grad.isfinite().all() for p in (a, b))
    # float16 ends at 65504: a slope beyond it is infinite there, never NaN.
    assert not x.grad.isnan().any()
    assert x.grad.isfinite().all() or pair[0] > 100


def test_gradients_of_salu_at_infinity_are_their_limits() -> None:
    x = torch.tensor([torch.inf, -torch.inf], requires_grad=True)
    a, b = (torch.full((2,), p, requires_grad=True) for p in (2.0, 0.5))
    functional("salu")(x, a, b).sum().backward()
    torch.testing.assert_close(x.grad, torch.zeros(2), rtol=0, atol=2 * CLAMPED_SLOPE)
    assert a.grad.tolist() == pytest.approx([0.5, -0.5])  # 1/(2·sqrt(a·b))
    assert b.grad.tolist() == pytest.approx([-2.0, 2.0])  # -S/(2·b)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", FAMILY)
def test_half_precision_gradients_are_the_float32_ones_rounded(name: str, dtype: torch.dtype) -> None:
    x = torch.linspace(-9, 9, 201).to(dtype)
    grads = []
    for kind in (dtype, torch.float32):
        inputs = x.to(kind, copy=True).requires_grad_(), *leaves(dtype=torch.float32)[1:]
        functional(name)(*inputs).backward(torch.full_like(inputs[0], 0.5))
        assert [p.grad.dtype for p in inputs] == [kind, torch.float32, torch.float32]
        grads.append([p.grad for p in inputs])
    narrow, wide = grads
    assert torch.equal(narrow[0], wide[0].to(dtype))
    torch.testing.assert_close(narrow[1:], wide[1:], rtol=SUM_FLOAT32, atol=SUM_FLOAT32)


@pytest.mark.parametrize("name", FAMILY)
def test_only_the_input_and_the_two_scalars_are_kept(name: str) -> None:
    x, a, b = leaves(dtype=torch.float32, n=1000)
    kept: list[Tensor] = []
    with saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = functional(name)(x, a, b)
    assert [t.data_ptr() for t in kept] == [t.data_ptr() for t in (x, a, b)]
    y.sum().backward()
    with torch.no_grad(), saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        functional(name)(x, a, b)
    assert len(kept) == 3


@pytest.mark.parametrize("name", FAMILY)
def test_a_hook_may_move_the_input_away(name: str) -> None:
    x, a, b = leaves(dtype=torch.float32)
    hidden = x * 2
    alive = weakref.ref(hidden)
    with saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = functional(name)(hidden, a, b)
    del hidden
    assert alive() is None, "something besides the saved-tensor slots holds the input"
    y.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("frozen", [0, 1, 2], ids=["x", "a", "b"])
def test_frozen_inputs_get_no_gradient(name: str, frozen: int) -> None:
    inputs = leaves()
    inputs[frozen].requires_grad_(False)
    functional(name)(*inputs).sum().backward()
    assert [p.grad is None for p in inputs] == [i == frozen for i in range(3)]


@pytest.mark.parametrize("stored", [0.3, -0.3, 0.0, 1e-9, -1e-9])
def test_the_guard_never_stops_a_parameter(stored: float) -> None:
    p = torch.tensor(stored, requires_grad=True)
    value = guard(p)
    value.backward()
    assert p.grad.item() == direction(p).item() == (-1.0 if stored < 0 else 1.0)
    with torch.no_grad():
        assert torch.equal(guard(p), value), "the short form without gradients must be the same function"

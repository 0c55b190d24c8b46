"""The backward pass of FleS: against float64, through the statistics, at a steepness of zero, and what it keeps."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, grad, jacfwd, jacrev, vmap

from zoo.activations import FleS, fles

from .fles_reference import VARIANTS, module, reference
from .tolerances import FLES_FLOAT32, SUM_FLOAT32

forward_mode = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")


def tokens(seed: int = 0, shape: tuple[int, ...] = (2, 4, 5)) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2


@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_those_of_the_definition_in_float64(variant: str, masked: bool) -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 1]]) if masked else None
    found = []
    for gate, dtype in ((module(variant), torch.float32), (module(variant).double(), torch.float64)):
        x = tokens().to(dtype).requires_grad_()
        y = gate(x, mask) if dtype == torch.float32 else reference(gate, x, mask)
        y.square().sum().backward()
        found.append([x.grad, *(p.grad for p in gate.parameters())])
    for got, exact in zip(*found, strict=True):
        scale = exact.abs().max().item()
        torch.testing.assert_close(got.double(), exact, rtol=0, atol=SUM_FLOAT32 * (1 + scale))


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradcheck_through_the_statistics(variant: str) -> None:
    gate = module(variant, channel_axis=1).double()
    parameters = dict(gate.named_parameters())
    x = tokens(shape=(2, 5, 2, 1)).double().requires_grad_()

    def call(x: Tensor, *values: Tensor) -> Tensor:
        return functional_call(gate, dict(zip(parameters, values, strict=True)), (x,))

    assert gradcheck(call, (x, *parameters.values()))


@forward_mode
@pytest.mark.parametrize("offset", [False, True], ids=["plain", "shifted"])
def test_both_orders_of_the_functional(offset: bool) -> None:
    x = torch.linspace(-4, 4, 6, dtype=torch.float64).view(2, 3).requires_grad_()
    values = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.3, 0.7, 0.2)[: 2 + offset]]
    assert gradcheck(fles, (x, *values), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(fles, (x, *values))
    every = tuple(range(len(values) + 1))
    torch.testing.assert_close(jacfwd(fles, every)(x, *values), jacrev(fles, every)(x, *values))


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("horizontal", [0.0, 1e-30, -1e-30, 1e-6, -1e-6, 1e-3])
def test_gradients_at_a_steepness_around_zero(horizontal: float, compiled: bool) -> None:
    op = torch.compile(fles, backend="aot_eager", fullgraph=True) if compiled else fles
    found = []
    for dtype in (torch.float32, torch.float64):
        x = (tokens(shape=(20,)).to(dtype) * 4).requires_grad_()
        h, v = (torch.tensor(value, dtype=dtype, requires_grad=True) for value in (horizontal, 1.5))
        y = op(x, v, h) if dtype == torch.float32 else v * torch.sigmoid(h * x) * x
        y.sum().backward()
        found.append([x.grad, v.grad, h.grad])
    for got, exact in zip(*found, strict=True):
        torch.testing.assert_close(got.double(), exact, rtol=FLES_FLOAT32, atol=SUM_FLOAT32)


@pytest.mark.parametrize("variant", ["fles", "adas"])
def test_everything_learns_after_the_first_step(variant: str) -> None:
    torch.manual_seed(0)
    gate = FleS(6, variant=variant, hidden=4)
    optimiser = torch.optim.SGD(gate.parameters(), lr=0.1)
    x, target = tokens(1, (4, 3, 6)), tokens(2, (4, 3, 6))
    for _ in range(3):
        optimiser.zero_grad()
        (gate(x) - target).square().mean().backward()
        optimiser.step()
    assert all(p.grad.isfinite().all() and p.grad.abs().max() > 0 for p in gate.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_copy_of_the_input_is_kept(variant: str) -> None:
    gate, x = FleS(4, hidden=2, variant=variant), torch.randn(2, 1000, 4, requires_grad=True)
    kept: list[Tensor] = []
    with saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        gate(x)
    assert {t.data_ptr() for t in kept if t.numel() >= x.numel()} == {x.data_ptr()}


@pytest.mark.parametrize("variant", ["fles", "adas", "pn", "dg"])
def test_gradients_of_each_sample(variant: str) -> None:
    gate, x = module(variant), tokens(4, (3, 4, 5))
    parameters = {name: p.detach() for name, p in gate.named_parameters()}

    def loss(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(gate, parameters, (sample[None],)).square().sum()

    each = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    for i in range(3):
        alone = grad(loss)(parameters, x[i])
        for name in parameters:
            torch.testing.assert_close(each[name][i], alone[name], rtol=SUM_FLOAT32, atol=SUM_FLOAT32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_training_under_autocast_and_in_half_precision_is_finite(variant: str, dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Linear(5, 5), FleS(5, variant=variant), nn.Linear(5, 2))
    with torch.autocast("cpu", dtype):
        network(tokens()).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    network = network.to(dtype)
    network.zero_grad()
    network(tokens().to(dtype)).square().mean().backward()
    assert all(p.grad.dtype == dtype and p.grad.isfinite().all() for p in network.parameters())

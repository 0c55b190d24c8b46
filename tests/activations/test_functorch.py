"""torch.func on the operators: vmap, grad, per-sample parameters, forward mode, ensembles."""

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, stack_module_state, vmap

from zoo.activations import ACTIVATIONS

from .cases import ALL, CHANNELS, FAMILY, FLES, example, functional, make

# Forward-mode differentiation loads rules that PyTorch itself still compiles with torch.jit.script.
forward_mode = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")


@pytest.mark.parametrize("name", FAMILY)
def test_vmap_over_parameters_of_each_sample(name: str) -> None:
    op, n = functional(name), 5
    x, a, b = torch.randn(n, 3), torch.rand(n) + 0.2, torch.rand(n) + 0.2
    expected = torch.stack([op(x[i], a[i], b[i]) for i in range(n)])
    torch.testing.assert_close(vmap(op)(x, a, b), expected)
    torch.testing.assert_close(vmap(op, in_dims=(1, None, None))(x.T, a[0], b[0]), op(x, a[0], b[0]))
    torch.testing.assert_close(vmap(op, in_dims=(None, 0, None))(x[0], a, b[0]), op(x[0], a[:, None], b[0]))


@pytest.mark.parametrize("name", FAMILY)
def test_gradients_of_each_sample(name: str) -> None:
    op, n = functional(name), 4
    x, a, b = torch.randn(n, 3), torch.tensor(0.8), torch.tensor(0.5)

    def loss(x, a, b):
        return op(x, a, b).square().sum()

    each = vmap(grad(loss, argnums=(0, 1, 2)), in_dims=(0, None, None))(x, a, b)
    alone = [grad(loss, argnums=(0, 1, 2))(row, a, b) for row in x]
    torch.testing.assert_close(each, tuple(torch.stack(parts) for parts in zip(*alone, strict=True)))


@forward_mode
@pytest.mark.parametrize("name", FAMILY)
def test_forward_and_reverse_mode_agree_in_both_orders(name: str) -> None:
    op, x = functional(name), torch.linspace(-2, 2, 5, dtype=torch.float64)
    a, b = torch.tensor(0.8, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    every = (0, 1, 2)
    torch.testing.assert_close(jacfwd(op, argnums=every)(x, a, b), jacrev(op, argnums=every)(x, a, b))

    def total(x, a, b):
        return op(x, a, b).sum()

    torch.testing.assert_close(hessian(total, every)(x, a, b), jacrev(jacrev(total, every), every)(x, a, b))


@forward_mode
@pytest.mark.parametrize("name", ALL)
def test_jacobian_vectorised_over_its_columns(name: str) -> None:
    module, x = make(name).double(), example(name, 2, dtype=torch.float64)
    expected = jacobian(module, x)
    for strategy in ("forward-mode", "reverse-mode"):
        torch.testing.assert_close(jacobian(module, x, vectorize=True, strategy=strategy), expected)


@forward_mode
@pytest.mark.parametrize("name", ["galu", *(pytest.param(name, marks=pytest.mark.slow) for name in ("salu", "swalu"))])
def test_compiled_transforms_see_the_definition(name: str) -> None:
    op, x, a, b = functional(name), torch.linspace(-2, 2, 5), torch.tensor([0.8]), torch.tensor([0.5])

    def slopes(x):
        return jacfwd(op)(x, a, b), vmap(grad(lambda x: op(x, a, b).square().sum()))(x)

    compiled = torch.compile(slopes, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), slopes(x))


@pytest.mark.parametrize("name", [name for name in ALL if ACTIVATIONS.get(name).parameters])
def test_ensemble_of_modules(name: str) -> None:
    modules = [make(name) for _ in range(3)]
    with torch.no_grad():
        for scale, module in enumerate(modules, 1):
            for p in module.parameters():
                p.mul_(scale)
    params, buffers = stack_module_state(modules)
    x = example(name, 2)
    together = vmap(lambda p, b: functional_call(modules[0], (p, b), (x,)))(params, buffers)
    torch.testing.assert_close(together, torch.stack([module(x) for module in modules]))


@pytest.mark.parametrize("variant", [name for name in FLES if ACTIVATIONS.get(name).parameters])
def test_ensemble_on_maps_that_lie_apart(variant: str) -> None:
    """The maps of the members lie on the last axis, those of the batch are channels last."""
    modules = [make(variant, channel_axis=1).double() for _ in range(3)]
    for scale, module in enumerate(modules, 1):
        torch._foreach_mul_([p.data for p in module.parameters()], scale)
    params, buffers = stack_module_state(modules)
    maps = torch.randn(2, 5, 4, CHANNELS, 3, dtype=torch.float64).movedim(3, 1)

    def run(p, b, x):
        y = functional_call(modules[0], (p, b), (x,))
        return y.square().sum(), y

    slopes, together = vmap(grad(run, argnums=(0, 2), has_aux=True), in_dims=(0, 0, -1))(params, buffers, maps)
    for i, module in enumerate(modules):
        x = maps[..., i].detach().requires_grad_()
        alone = module(x)
        torch.testing.assert_close(together[i], alone)
        found = [value[i] for value in (*slopes[0].values(), slopes[1])]
        expected = torch.autograd.grad(alone.square().sum(), [*module.parameters(), x])
        torch.testing.assert_close(found, list(expected))

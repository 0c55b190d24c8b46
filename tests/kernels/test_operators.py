"""The operators as PyTorch's dispatcher sees them: registration, compilation, `vmap`, gradients of gradients."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, library

from zoo.errors import ConfigurationError
from zoo.kernels import backend
from zoo.kernels.custom_ops import operator, plain_gradients
from zoo.kernels.positive_mean import positive_mean
from zoo.numerics.operators import DEFINITIONS

from .cases import NAMES, arranged, fles_inputs, inputs, quick, upstream
from .tolerances import CLOSE, HIGHER

pytestmark = [
    pytest.mark.usefixtures("interpreted"),
    pytest.mark.filterwarnings("ignore:(overflow|invalid value|divide by zero) encountered:RuntimeWarning"),
]
# opcheck looks at `.grad` of what it has computed, on torch's own account.
opcheck = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
ALL = [*NAMES, "fles"]


def made(name: str, shape: tuple[int, ...] = (3, 5)) -> list[Tensor]:
    return fles_inputs(shape, (shape[0], *[1] * (len(shape) - 2), shape[-1])) if name == "fles" else inputs(name, shape)


@opcheck
@pytest.mark.parametrize("name", quick(ALL, "salu_add_swalu", "fles"))
def test_registration(name: str) -> None:
    found = made(name)
    library.opcheck(getattr(torch.ops.salu_zoo, name).default, found)
    backward = getattr(torch.ops.salu_zoo, f"{name}_backward").default
    grad = torch.randn(3, 5, requires_grad=True)
    library.opcheck(backward, (grad, *found, [True] * len(found)))
    library.opcheck(backward, (grad, *found, [i != 1 for i in range(len(found))]))


@opcheck
@pytest.mark.parametrize("name", ["salu", "fles"])
def test_registration_of_other_layouts(name: str) -> None:
    for layout in ("channels-last", "sliced"):
        found = made(name, (2, 3, 4, 5))
        found[0] = arranged(found[0], layout).requires_grad_()
        library.opcheck(getattr(torch.ops.salu_zoo, name).default, found)


@opcheck
def test_registration_of_the_mean() -> None:
    x, mask = torch.randn(2, 3, 4, requires_grad=True), torch.rand(2, 3, 1) > 0.5
    library.opcheck(torch.ops.salu_zoo.positive_mean.default, (x, 2, mask))
    mean, count = torch.ops.salu_zoo.positive_mean(x, 2, None)
    share = torch.randn_like(mean, requires_grad=True)
    library.opcheck(torch.ops.salu_zoo.positive_mean_backward.default, (share, x, count, 2, None))


@pytest.mark.parametrize("name", quick(ALL, "salu_add_swalu", "fles"))
def test_compiled_in_one_graph(name: str) -> None:
    found = made(name)
    compiled = torch.compile(lambda *t: operator(name)(*t) * 2, fullgraph=True, backend="aot_eager")
    y, want = compiled(*found), operator(name)(*found) * 2
    torch.testing.assert_close(y, want, rtol=0, atol=0)
    for got, exactly in zip(
        torch.autograd.grad(y, found, upstream(y)), torch.autograd.grad(want, found, upstream(y)), strict=True
    ):
        torch.testing.assert_close(got, exactly, rtol=0, atol=0)


def test_the_mean_compiled() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    y = torch.compile(lambda x: positive_mean(x, -1), fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(y, positive_mean(x, -1), rtol=0, atol=0)
    assert torch.autograd.grad(y.sum(), x)[0].shape == x.shape


@pytest.mark.parametrize("name", ALL)
def test_vmap(name: str) -> None:
    found = [t.detach() for t in made(name)]
    batch = torch.stack([found[0], 2 * found[0], -found[0]], 1)
    in_dims = (1, *[None] * (len(found) - 1))
    got = torch.vmap(operator(name), in_dims)(batch, *found[1:])
    one_by_one = [operator(name)(x, *found[1:]) for x in batch.unbind(1)]
    torch.testing.assert_close(got, torch.stack(one_by_one), **CLOSE)
    backward = getattr(torch.ops.salu_zoo, f"{name}_backward")
    needs = [True] * len(found)
    slopes = torch.vmap(lambda x: backward(torch.ones_like(x), x, *found[1:], needs), 1)(batch)
    each = [backward(torch.ones_like(x), x, *found[1:], needs) for x in batch.unbind(1)]
    for got, want in zip(slopes, zip(*each, strict=True), strict=True):
        torch.testing.assert_close(got, torch.stack(want), **CLOSE)
    per_scalar = torch.vmap(operator(name), (None, 0, *[None] * (len(found) - 2)))
    scalars = torch.stack([found[1], 2 * found[1]])
    want = torch.stack([operator(name)(found[0], p, *found[2:]) for p in scalars])
    torch.testing.assert_close(per_scalar(found[0], scalars, *found[2:]), want, **CLOSE)


def test_vmap_of_the_mean() -> None:
    x = torch.randn(3, 2, 4, 5)
    mask = torch.rand(2, 4) > 0.5
    want = torch.stack([positive_mean(one, -1, mask) for one in x])
    torch.testing.assert_close(torch.vmap(lambda one: positive_mean(one, -1, mask))(x), want, **CLOSE)
    backward, grad = torch.ops.salu_zoo.positive_mean_backward, torch.randn(2, 5)
    got = torch.vmap(lambda one: backward(grad, one, torch.ones(2, 5), 2, None))(x)
    torch.testing.assert_close(got, torch.where(x > 0, grad[:, None], 0.0), **CLOSE)


@pytest.mark.parametrize("name", quick(ALL, "salu_add_swalu", "fles"))
def test_gradients_of_gradients(name: str) -> None:
    found = made(name)

    def penalty(function) -> tuple[Tensor, ...]:
        y = function(*found)
        first = torch.autograd.grad(y, found, upstream(y), create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), found, create_graph=True)
        return (*second, *torch.autograd.grad(sum(g.sin().sum() for g in second), found))

    for got, want in zip(penalty(operator(name)), penalty(DEFINITIONS[name].value), strict=True):
        torch.testing.assert_close(got.detach(), want.detach(), **HIGHER)


def test_a_gradient_that_depends_on_the_input_is_counted_once() -> None:
    """The gradient of the result is itself a function of x; its share must not come in twice."""
    x, a, b = inputs("salu", (6,))
    y = operator("salu")(x, a, b)
    (dx,) = torch.autograd.grad(y, x, x * x, create_graph=True)
    (got,) = torch.autograd.grad(dx.sum(), x)
    z = x.detach().requires_grad_()
    (want,) = torch.autograd.grad(plain_gradients("salu", z * z, (z, a, b), (True, False, False))[0].sum(), z)
    torch.testing.assert_close(got, want, **CLOSE)


def test_gradient_of_the_gradient_of_the_mean() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    weight = torch.randn(2, 4, requires_grad=True)
    (dx,) = torch.autograd.grad(positive_mean(x, -1), x, weight, create_graph=True)
    (got,) = torch.autograd.grad(dx.sum(), weight)
    torch.testing.assert_close(got, (x > 0).any(1).float(), **CLOSE)


def test_another_device_and_no_triton(monkeypatch) -> None:
    with pytest.raises(ConfigurationError, match="CUDA and CPU"):
        backend.on_triton(torch.empty(1, device="meta"))

    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'triton'", name="triton")

    monkeypatch.setattr(backend.importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match="not installed"):
        operator("salu")(*inputs("salu", (3,)))


def test_triton_loads_at_the_first_launch() -> None:
    """Only the kernels import Triton, only their launches import the kernels, and those load where they are needed."""
    source = Path(backend.__file__).parent
    heavy = {path.stem for path in source.glob("triton_*.py")} | {"pointwise", "fles", "statistics"}
    for path in source.glob("*.py"):
        names = set(re.findall(r"^(?:import|from) (\S+)", path.read_text("utf-8"), re.MULTILINE))
        if path.stem not in heavy:
            assert not {name for name in names if name.split(".")[0] == "triton"}
            assert not {name for name in names if name.rpartition(".")[2] in heavy}

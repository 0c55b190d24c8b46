"""SALU, shortcut and gate in one operator: what the operators in it give one after another, and less is kept."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.graph import saved_tensors_hooks

from zoo.activations import kernel, salu, salu_add_salu_swalu, salu_add_swalu, salu_swalu, swalu
from zoo.errors import ConfigurationError

from .cases import PAIRS
from .tolerances import CHAIN_FLOAT32, CUBED_CHAIN_FLOAT32

forward_mode = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")


def pair_steps(x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return swalu(salu(x, a, b), c, d)


def add_steps(x: Tensor, a: Tensor, b: Tensor, skip: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return swalu(salu(x, a, b) + skip, c, d)


def join_steps(x: Tensor, a: Tensor, b: Tensor, skip: Tensor, e: Tensor, f: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return swalu(salu(x, a, b) + salu(skip, e, f), c, d)


# Operator, its steps, and whether each input is a tensor of the size of x ("x") or a coefficient.
COMPOSITES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], str]] = {
    "salu_swalu": (salu_swalu, pair_steps, "xabcd"),
    "salu_add_swalu": (salu_add_swalu, add_steps, "xabxcd"),
    "salu_add_salu_swalu": (salu_add_salu_swalu, join_steps, "xabxefcd"),
}
VALUES = {"a": 0.9, "b": 0.4, "c": 0.6, "d": 0.7, "e": 1.0, "f": 0.01}


def inputs(name: str, shape: tuple[int, ...] = (3, 4), dtype: torch.dtype = torch.float64, **values: float) -> list:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(shape, generator=generator, dtype=dtype) * 2 if key == "x" else
         torch.tensor({**VALUES, **values}[key], dtype=dtype)).requires_grad_()
        for key in COMPOSITES[name][2]
    ]  # fmt: skip


@pytest.fixture(params=COMPOSITES)
def name(request) -> str:
    return request.param


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_same_as_the_steps_in_float64(name: str, pair: tuple) -> None:
    op, steps, _ = COMPOSITES[name]
    ours, theirs = (inputs(name, a=pair[0], b=pair[1], c=pair[1] ** 0.5) for _ in range(2))
    y, z = op(*ours), steps(*theirs)
    torch.testing.assert_close(y, z, rtol=1e-13, atol=1e-13)
    y.square().sum().backward()
    z.square().sum().backward()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-11)


def test_the_same_as_the_steps_in_float32_within_roundings(name: str) -> None:
    op, steps, _ = COMPOSITES[name]
    ours, theirs = (inputs(name, (64,), torch.float32) for _ in range(2))
    y, z = op(*ours), steps(*theirs)
    torch.testing.assert_close(y, z, rtol=2 * CHAIN_FLOAT32, atol=CHAIN_FLOAT32)
    y.sum().backward()
    z.sum().backward()
    torch.testing.assert_close(ours[0].grad, theirs[0].grad, rtol=CUBED_CHAIN_FLOAT32, atol=CUBED_CHAIN_FLOAT32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_in_16_bits_only_the_result_is_rounded(name: str, dtype: torch.dtype) -> None:
    op, steps, keys = COMPOSITES[name]
    narrow = [p.detach().to(dtype) if key == "x" else p.detach() for p, key in zip(inputs(name), keys, strict=True)]
    expected = steps(*(p.double() for p in narrow))
    got = op(*narrow)
    assert got.dtype == dtype
    half_a_unit = torch.finfo(dtype).eps / 2
    assert ((got.double() - expected).abs() <= half_a_unit * expected.abs() * 1.01 + 1e-7).all()


@forward_mode
def test_derivatives_in_any_order(name: str) -> None:
    op = COMPOSITES[name][0]
    assert gradcheck(op, inputs(name, (5,)), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(op, inputs(name, (3,)))


def test_only_the_tensors_that_were_read_are_kept(name: str) -> None:
    op, steps, keys = COMPOSITES[name]
    large = 256

    def kept(call: Callable[..., Tensor]) -> int:
        found: set[int] = set()

        def pack(value: Tensor) -> Tensor:
            if value.numel() == large:
                found.add(value.untyped_storage().data_ptr())
            return value

        arguments = inputs(name, (large,), torch.float32)
        with saved_tensors_hooks(pack, lambda value: value):
            result = call(*arguments)  # alive, so that no address is used twice
        assert result.requires_grad
        return len(found)

    assert kept(op) == keys.count("x")
    # The shortcut that is kept is what the next convolution keeps anyway; the sum that the steps keep is not.
    assert kept(steps) == {"salu_swalu": 2, "salu_add_swalu": 2, "salu_add_salu_swalu": 3}[name]


def test_infinities_have_the_limits_of_the_steps(name: str) -> None:
    op, steps, keys = COMPOSITES[name]
    edges = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0])
    coefficients = {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.5, "e": 1.0, "f": 1.0}
    arguments = [edges if key == "x" else torch.tensor(coefficients[key]) for key in keys]
    torch.testing.assert_close(op(*arguments), steps(*arguments), equal_nan=True)


def test_compile_and_export_see_standard_operators(name: str) -> None:
    op = COMPOSITES[name][0]
    arguments = tuple(p.detach().float() for p in inputs(name))
    compiled = torch.compile(op, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*arguments), op(*arguments))

    class Module(torch.nn.Module):
        def forward(self, *values: Tensor) -> Tensor:
            return op(*values)

    program = torch.export.export(Module(), arguments)
    called = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert called
    assert {target.namespace for target in called} == {"aten"}


def test_fx_records_one_node(name: str) -> None:
    op, _, keys = COMPOSITES[name]

    def call(x: Tensor) -> Tensor:
        return op(*(x if key == "x" else VALUES[key] for key in keys))

    traced, x = torch.fx.symbolic_trace(call), torch.randn(5)
    assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [op]
    torch.testing.assert_close(traced(x), call(x))


def test_vmap(name: str) -> None:
    op, _, keys = COMPOSITES[name]
    arguments = [p.detach() for p in inputs(name)]
    dims = tuple(0 if key == "x" else None for key in keys)
    torch.testing.assert_close(torch.func.vmap(op, in_dims=dims)(*arguments), op(*arguments))


def test_a_word_that_is_no_implementation_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'fast' is no implementation: use one of auto, plain, fused"):
        salu(torch.zeros(2), 1.0, 1.0, kernel="fast")
    with pytest.raises(ConfigurationError, match="'quick' is no implementation"), kernel("quick"):
        pass


def test_what_no_kernel_fits_is_refused_only_where_one_is_demanded() -> None:
    x = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ConfigurationError, match=r'salu\(kernel="fused"\): .* x is torch.float64'):
        salu(x, 1.0, 1.0, kernel="fused")
    with kernel("fused"):
        with pytest.raises(ConfigurationError, match="float64"):
            swalu(x, 1.0, 1.0)
        torch.testing.assert_close(swalu(x, 1.0, 1.0, kernel="plain"), x)  # a call's own choice goes first
    torch.testing.assert_close(swalu(x, 1.0, 1.0), x)

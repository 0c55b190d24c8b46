"""SALU, its gates and the composites in C++: values and every gradient against float64."""

import pytest
import torch
from torch import Tensor

from tests.activations.cases import PAIRS, all_values, float32_values
from zoo.errors import ConfigurationError, ShapeError
from zoo.kernels import cpu
from zoo.numerics.operators import DEFINITIONS

from .cases import DTYPES, LAYOUTS, NAMES, NUMBERS, SKIP, VALUES, arranged, inputs, takes_skip, upstream
from .checks import agree
from .cpu_cases import CHAIN, INSTRUCTIONS, ROUNDING, gradients, instructions, needs_kernels, torch_threads, within

pytestmark = [needs_kernels, pytest.mark.usefixtures("filled_memory")]

# Nothing, less than a step of any vectors, one step and its neighbours, a chunk and more with a tail.
SIZES = [(), (1,), (7,), (8,), (17,), (31,), (32,), (33,), (4096,), (2 * 4096 + 19,)]
INF = torch.inf


def plainly(tensors: list[Tensor]) -> list[Tensor]:
    return [t.detach() for t in tensors]


@pytest.mark.parametrize("which", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name: str, dtype: torch.dtype, which: str) -> None:
    with instructions(which):
        for shape in SIZES:
            agree(name, inputs(name, shape, dtype))


@pytest.mark.parametrize("name", NAMES)
def test_empty(name: str) -> None:
    found = plainly(inputs(name, (3, 0, 2), torch.bfloat16))
    assert cpu.forward(name, found).shape == (3, 0, 2)
    results = cpu.backward(name, found[0], found, [True] * len(found))
    for got, value in zip(results, found, strict=True):
        assert got is not None
        assert torch.equal(got, torch.zeros_like(value))


@pytest.mark.parametrize("which", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["salu", "swalu", "galu", "salu_swalu"])
def test_every_value_and_pair(name: str, dtype: torch.dtype, which: str) -> None:
    """All finite values of 16 bits, all exponents of 32, for quasi-linear to saturated parameters, a and b swapped."""
    x = float32_values() if dtype == torch.float32 else all_values(dtype)
    x = x if which == INSTRUCTIONS[0] else x[::7]  # the formulas are the same code
    exact = x.double()
    with instructions(which):
        for a, b in PAIRS:
            values = (a, b, b, a)[: NUMBERS[name]]
            scalars = [torch.tensor(v) for v in values]
            want = DEFINITIONS[name].value(exact, *(p.double() for p in scalars))
            size = max(1.0, *((p / q) ** 0.5 for p, q in zip(values[::2], values[1::2], strict=True)))
            got = cpu.forward(name, [x, *scalars])
            within(got, want, CHAIN * (want.abs() + (exact.abs() if name in ("swalu", "galu") else 0) * (1 + size)))
            dx = cpu.backward(name, torch.ones_like(x), [x, *scalars], [True] + [False] * len(scalars))[0]
            slope = DEFINITIONS[name].gradients(exact, *(p.double() for p in scalars))[0]
            assert dx is not None
            # The slope of a gate is the sum of 1/2 and S·m/2, that of the pair with a factor a·r³.
            bound = torch.full_like(slope, 1 + size) * (max(values) if name.startswith("salu") else 1)
            within(dx, slope, CHAIN * bound)


@pytest.mark.parametrize("name", NAMES)
def test_limits(name: str) -> None:
    """±inf, NaN and what overflows, in x and in the shortcut: what the definition gives in float32."""
    x = torch.tensor([INF, -INF, torch.nan, 3e38, -3e38, 1e19, -1e19, 1e-45, -1e-40, 0.0, -0.0])
    for values in ((1.0,) * 6, (2.0, 0.5) * 3, (0.5, 2.0) * 3):
        found = [torch.tensor(v) for v in values[: NUMBERS[name]]]
        tensors = [x, *found]
        if takes_skip(name):
            tensors = [x.repeat(len(x)), *found]
            tensors.insert(SKIP, x.repeat_interleave(len(x)))
        got, want = cpu.forward(name, tensors), DEFINITIONS[name].value(*tensors)
        assert torch.equal(got.isnan(), want.isnan())
        limits = ~torch.stack([t for t in tensors if t.ndim]).isfinite().all(0) | ~want.isfinite()
        torch.testing.assert_close(got[limits], want[limits], rtol=CHAIN, atol=0, equal_nan=True)
        dx = cpu.backward(name, torch.ones_like(got), tensors, [True] + [False] * (len(tensors) - 1))[0]
        slope = DEFINITIONS[name].gradients(*tensors)[0]
        assert dx is not None
        torch.testing.assert_close(dx, slope, rtol=CHAIN, atol=CHAIN * max(values), equal_nan=True)


@pytest.mark.parametrize("values", [(-1.3, 0.7, 0.5, -0.9, -2.0, -0.1), (1e-9, -1e-8, 0.0, 1e-7, -0.0, 1.0)])
@pytest.mark.parametrize("name", NAMES)
def test_reflected_and_floored_parameters(name: str, values: tuple[float, ...]) -> None:
    found = plainly(inputs(name, (300,), values=values))
    grad = upstream(found[0])
    got = cpu.backward(name, grad, found, [True] * len(found))
    want = gradients(name, grad, found)
    wide = [t.double() for t in found]
    for a, b, slope in zip(got, want, DEFINITIONS[name].gradients(*wide), strict=True):
        assert a is not None
        scale = (grad.double() * slope).abs()
        torch.testing.assert_close(
            a.double(), b, rtol=CHAIN, atol=CHAIN * float(scale.sum() if a.numel() == 1 else scale.max())
        )


@pytest.mark.parametrize("values", [(0.8, 1.3, 0.4, 0.6, 1.1, 0.7), (1e12, 1e-6, 1e8, 1e8, 1e-6, 1e12)])
def test_a_composite_has_the_bits_of_its_operators_one_after_another(values: tuple[float, ...]) -> None:
    """So a network gives the same whether its blocks are seen as one or module by module, as torch.fx sees them."""
    a, b, c, d, e, f = (torch.tensor([v]) for v in values)
    x = torch.cat([torch.randn(100_003) * 5, torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0, 1e-30, -1e30])])
    skip = torch.randn_like(x)

    def apply(name: str, *inputs: Tensor) -> Tensor:
        return cpu.forward(name, list(inputs))

    y, short = apply("salu", x, a, b), apply("salu", skip, e, f)
    for got, want in (
        (apply("salu_swalu", x, a, b, c, d), y),
        (apply("salu_add_swalu", x, a, b, skip, c, d), y + skip),
        (apply("salu_add_salu_swalu", x, a, b, skip, e, f, c, d), y + short),
    ):
        torch.testing.assert_close(got, apply("swalu", want, c, d), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("values", [(1e12, 1e-6, 1e8, 1e8), (1e30, 1e-6, 1.0, 1e-6)])
def test_a_very_steep_gate_behind_a_stabiliser(values: tuple[float, ...]) -> None:
    x = torch.tensor([-1e3, -1.0, -1e-9, -1e-15, 1e-30, 1e-18, 1e-12, 1e-6, 1.0, 1e6])
    found = [x, *(torch.tensor(v) for v in values)]
    wide = [t.double() for t in found]
    want = DEFINITIONS["salu_swalu"].value(*wide)
    within(cpu.forward("salu_swalu", found), want, CHAIN * DEFINITIONS["salu_swalu"].value(wide[0].abs(), *wide[1:]))
    for got in cpu.backward("salu_swalu", torch.ones_like(x), found, [True] * 5):
        assert got is not None
        assert bool(got.isfinite().all())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_gradients_come_in_the_dtype_of_the_parameter(kind: torch.dtype) -> None:
    x, a = torch.ones(3), torch.full((1, 1), 2.0, dtype=kind)
    _, da, db = cpu.backward("salu", x, [x, a, a], [False, True, True])
    assert da is not None
    assert db is not None
    assert (da.shape, da.dtype, db.shape, db.dtype) == ((1, 1), kind, (1, 1), kind)
    want = gradients("salu", x, [x, a, a])
    for got, exactly in zip((da, db), want[1:], strict=True):
        torch.testing.assert_close(got.double(), exactly, rtol=CHAIN + ROUNDING.get(kind, 0), atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["swalu", "salu_add_salu_swalu"])
def test_layouts(name: str, layout: str) -> None:
    """Of x, of the shortcut and of the gradient; the results lie as `empty_like` does."""
    found = plainly(inputs(name, (2, 3, 4, 5), torch.bfloat16))
    grad = upstream(found[0])
    reference = [cpu.forward(name, found), *cpu.backward(name, grad, found, [True] * len(found))]
    for where in ("x", "skip", "grad"):
        changed, upstream_changed = list(found), grad
        if where == "grad":
            upstream_changed = arranged(grad, layout)
        elif where == "x" or takes_skip(name):
            position = 0 if where == "x" else SKIP
            changed[position] = arranged(found[position], layout)
        if layout == "expanded":  # other values, which are checked against those of a dense copy
            dense = [t.clone(memory_format=torch.contiguous_format) for t in changed]
            reference = [cpu.forward(name, dense)]
            reference += cpu.backward(name, upstream_changed.clone(), dense, [True] * len(found))
        y = cpu.forward(name, changed)
        results = cpu.backward(name, upstream_changed, changed, [True] * len(found))
        for got, want in zip([y, *results], reference, strict=True):
            assert got is not None
            assert want is not None
            # Sums run in memory order, which is the layout's own.
            summed = CHAIN if got.numel() == 1 else 0
            torch.testing.assert_close(got, want, rtol=summed, atol=summed)
        strides = torch.empty_like(changed[0]).stride()
        assert y.stride() == strides
        assert results[0] is not None
        assert results[0].stride() == strides


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_needed(name: str) -> None:
    found = plainly(inputs(name, (1000,), torch.float16))
    grad = upstream(found[0])
    everything = cpu.backward(name, grad, found, [True] * len(found))
    for number in range(2 ** len(found)):
        needs = [bool(number >> i & 1) for i in range(len(found))]
        for got, want, need in zip(cpu.backward(name, grad, found, needs), everything, needs, strict=True):
            assert (got is not None) == need
            assert got is None or (want is not None and torch.equal(got, want))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_for_any_number_of_threads(name: str, dtype: torch.dtype) -> None:
    found = plainly(inputs(name, (50_021,), dtype, values=VALUES))
    grad = upstream(found[0])
    results = []
    for count in (1, 2, 5):
        with torch_threads(count):
            results.append([cpu.forward(name, found), *cpu.backward(name, grad, found, [True] * len(found))])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_refusals() -> None:
    one = torch.ones(())
    with pytest.raises(ConfigurationError, match="float64"):
        cpu.forward("salu", [torch.ones(3).double(), one, one])
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        cpu.forward("salu", [torch.ones(3), torch.ones(3), one])
    for skip in (torch.ones(4), torch.ones(3).half()):
        with pytest.raises(ShapeError, match="shortcut"):
            cpu.forward("salu_add_swalu", [torch.ones(3), one, one, skip, one, one])

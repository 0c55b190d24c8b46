"""FleS's gate and its statistics as kernels: every value and gradient against float64, in Triton's interpreter."""

import pytest
import torch

from zoo.activations.channel_means import positive_mean as plain_mean
from zoo.errors import ConfigurationError, ShapeError
from zoo.kernels.custom_ops import operator
from zoo.kernels.positive_mean import positive_mean
from zoo.kernels.triton import tiles
from zoo.numerics.operators import DEFINITIONS

from .cases import DTYPES, LAYOUTS, arranged, fles_inputs, quick, upstream
from .checks import agree, mean_agrees, repeat_exactly
from .tolerances import EXPONENTIAL

pytestmark = [
    pytest.mark.usefixtures("interpreted", "filled_memory"),
    pytest.mark.filterwarnings("ignore:(overflow|invalid value|divide by zero) encountered:RuntimeWarning"),
]

# x and its coefficients: maps, tokens, one number a channel or for all, no positions, a batch axis alone.
SHAPES = [
    ((2, 5, 7, 6), (2, 5, 1, 1)),
    ((2, 7, 5), (2, 1, 5)),
    ((2, 3, 5), (5,)),
    ((2, 5, 7, 6), (5, 1, 1)),
    ((4, 5), (4, 5)),
    ((3, 4, 5), ()),
    ((3, 4, 5), (3, 1, 1)),
    ((), ()),
    ((2, 3, 4, 5), (1, 3, 4, 1)),
]


@pytest.mark.parametrize("dtype", quick(DTYPES, torch.bfloat16), ids=str)
@pytest.mark.parametrize(("shape", "coefficients"), SHAPES, ids=str)
def test_values_and_gradients(shape: tuple[int, ...], coefficients: tuple[int, ...], dtype: torch.dtype) -> None:
    agree("fles", fles_inputs(shape, coefficients, dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "coefficients", quick([(2, 3, 1, 1), (2, 1, 1, 5), (3, 1, 1)], (2, 1, 1, 5), (3, 1, 1)), ids=str
)
def test_layouts(layout: str, coefficients: tuple[int, ...]) -> None:
    x, v, h = (t.detach() for t in fles_inputs((2, 3, 4, 5), coefficients))
    x = arranged(x, layout)
    found = [t.requires_grad_() for t in (x, v, h)]
    agree("fles", found)
    y = operator("fles")(*found)
    assert y.stride() == torch.empty_like(x).stride()
    assert torch.autograd.grad(y, x, upstream(y).contiguous())[0].stride() == y.stride()


@pytest.mark.parametrize(
    ("shape", "form", "programs"),
    [((2, 300, 9, 7), torch.channels_last, 16), ((2, 3, 70, 60), torch.contiguous_format, 10)],
    ids=["channels-last", "contiguous"],
)
def test_many_tiles_and_steps(shape: tuple[int, ...], form: torch.memory_format, programs: int, monkeypatch) -> None:
    """Several programs along the positions, each with several tiles."""
    monkeypatch.setattr(tiles, "PROGRAMS", programs)
    n, c, height, width = shape
    tile = tiles.tile(n, c, height * width, form == torch.channels_last, True)
    assert tile.steps > 1
    assert height * width > tile.steps * tile.positions
    x, v, h = fles_inputs(shape, (n, c, 1, 1))
    x = x.detach().to(memory_format=form).requires_grad_()
    agree("fles", [x, v, h])
    mean_agrees(x, 1, None)


def test_one_and_one_is_silu() -> None:
    x = torch.linspace(-30, 30, 999, requires_grad=True)
    y = operator("fles")(x, torch.tensor(1.0), torch.tensor(1.0))
    torch.testing.assert_close(y, torch.nn.functional.silu(x), rtol=EXPONENTIAL, atol=0)


def test_extremes() -> None:
    x = torch.tensor([torch.inf, -torch.inf, torch.nan, 3e38, -3e38, 1e-40, 0.0, -0.0, 100.0, -100.0])
    v, h = torch.tensor(2.0), torch.tensor(0.5)
    y, want = operator("fles")(x, v, h), DEFINITIONS["fles"].value(x, v, h)
    torch.testing.assert_close(y, want, rtol=EXPONENTIAL, atol=1e-30, equal_nan=True)
    assert y.isnan().tolist() == [False, True, True, *[False] * 7]


@pytest.mark.parametrize("shape", [(0, 5, 2), (2, 0, 3), (2, 5, 0)], ids=str)
def test_empty(shape: tuple[int, ...]) -> None:
    x, v, h = fles_inputs(shape, (1, shape[1], 1))
    y = operator("fles")(x, v, h)
    gradients = torch.autograd.grad(y, (x, v, h), torch.ones_like(y))
    assert [g.shape for g in gradients] == [x.shape, v.shape, h.shape]
    assert all(bool((g == 0).all()) for g in gradients[1:])
    torch.testing.assert_close(positive_mean(x, 1), torch.zeros(shape[:2]))


def test_same_inputs_give_equal_bits() -> None:
    repeat_exactly("fles", fles_inputs((2, 5, 40, 30), (2, 5, 1, 1)))


@pytest.mark.parametrize("wanted", range(3))
def test_only_the_gradients_wanted(wanted: int) -> None:
    found = fles_inputs((2, 7, 5), (2, 1, 5))
    y = operator("fles")(*found)
    every = torch.autograd.grad(y, found, upstream(y))
    alone = [t.detach().requires_grad_(i == wanted) for i, t in enumerate(found)]
    assert torch.equal(torch.autograd.grad(operator("fles")(*alone), [alone[wanted]], upstream(y))[0], every[wanted])


@pytest.mark.parametrize("dtype", quick(DTYPES, torch.bfloat16), ids=str)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((2, 5, 7, 6), 1), ((2, 7, 5), -1), ((3, 5), 1)], ids=str)
def test_mean_over_elements_from_zero_on(shape: tuple[int, ...], axis: int, masked: bool, dtype: torch.dtype) -> None:
    x = fles_inputs(shape, (), dtype)[0]
    x.detach().view(-1)[::5] = 0  # which counts and gets no gradient
    positions = [size for i, size in enumerate(shape) if i != axis % len(shape)]
    mask = torch.rand(positions, generator=torch.Generator().manual_seed(0)) > 0.3 if masked else None
    mean_agrees(x, axis, mask)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axis", [1, 3])
def test_mean_in_every_layout(layout: str, axis: int) -> None:
    x = arranged(fles_inputs((2, 3, 4, 5), ())[0].detach(), layout).requires_grad_()
    mean_agrees(x, axis, None)
    mean_agrees(x, axis, (torch.arange(40 if axis == 1 else 24) % 3 > 0).view((2, 4, 5) if axis == 1 else (2, 3, 4)))


def test_mean_at_its_limits() -> None:
    """Nothing >= 0 gives 0, what is masked away is not seen, NaN and inf elsewhere stay."""
    x = torch.tensor([[-1.0, 2.0, torch.nan, torch.inf], [-2.0, 4.0, 1.0, -torch.inf]]).view(1, 2, 4)
    torch.testing.assert_close(positive_mean(x, 2), plain_mean(x, 2, 4), rtol=0, atol=0, equal_nan=True)
    mask = torch.tensor([[False, True]])
    assert positive_mean(x, 2, mask).tolist() == [[0.0, 4.0, 1.0, 0.0]]


def test_refusals() -> None:
    x = torch.randn(2, 3, 4, 5)
    with pytest.raises(ShapeError, match="two axes at most"):
        operator("fles")(x, torch.ones(2, 3, 4, 1), torch.tensor(1.0))
    with pytest.raises(ShapeError, match="broadcasts"):
        operator("fles")(x, torch.ones(7), torch.tensor(1.0))
    with pytest.raises(ConfigurationError, match="float64"):
        operator("fles")(x.double(), torch.tensor(1.0), torch.tensor(1.0))
    with pytest.raises(ShapeError, match="mask"):
        positive_mean(x, 1, torch.ones(2, 3))

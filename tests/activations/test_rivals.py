"""DyT and Derf: their definitions, both layouts, and wrong shapes."""

import pytest
import torch

from zoo.activations import Derf, DyT
from zoo.errors import ConfigurationError, ShapeError

from .cases import CHANNELS, all_values, make

RIVALS = ["derf", "dyt"]


def exact(name: str, module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The definition in float64 for tokens."""
    p = {key: value.detach().double() for key, value in module.named_parameters()}
    z = p["alpha"] * x.double()
    return p["weight"] * (torch.erf(z + p["shift"]) if name == "derf" else torch.tanh(z)) + p["bias"]


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_every_finite_half_precision_value(name: str, dtype: torch.dtype) -> None:
    module = make(name)
    x = all_values(dtype)
    x = x[: len(x) // CHANNELS * CHANNELS].view(-1, CHANNELS)
    y = module(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y, exact(name, module, x).to(dtype))


@pytest.mark.parametrize("name", RIVALS)
def test_maps_and_tokens_are_the_same_function(name: str) -> None:
    x = torch.randn(2, CHANNELS, 3, 5)
    maps, tokens = make(name, channel_axis=1), make(name)
    torch.testing.assert_close(maps(x), tokens(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


@pytest.mark.parametrize("name", RIVALS)
def test_gradients(name: str) -> None:
    module = make(name, channel_axis=1).double()
    x = torch.randn(2, CHANNELS, 2, 1, dtype=torch.float64, requires_grad=True)
    parameters = dict(module.named_parameters())

    def call(x, *values):
        return torch.func.functional_call(module, dict(zip(parameters, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *parameters.values()))


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize(("shape", "axis"), [((2, 5), -1), ((2, 5, 3, 3), 1), ((CHANNELS,), 1), ((), -1)], ids=str)
def test_wrong_shapes_are_named(name: str, shape: tuple, axis: int) -> None:
    with pytest.raises(ShapeError, match=rf"axis {axis} must hold {CHANNELS} channels"):
        make(name, channel_axis=axis)(torch.zeros(shape))


@pytest.mark.parametrize("module", [DyT, Derf])
@pytest.mark.parametrize("size", [0, -3, 2.5, (2, 3), None])
def test_wrong_sizes_are_refused(module: type, size: object) -> None:
    with pytest.raises(ConfigurationError, match="number of channels"):
        module(size)


@pytest.mark.parametrize("module", [DyT, Derf])
def test_wrong_initial_values_are_refused(module: type) -> None:
    with pytest.raises(ConfigurationError, match="alpha must be a finite number"):
        module(4, alpha=float("nan"))
    assert repr(module((4,), eps=1e-6, channel_axis=1)) == f"{module.__name__}(4, channel_axis=1)"

"""The modules: arguments, precision, copies, storage. Every registered activation runs through every test."""

import copy
import io
import pickle

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from zoo.activations import ACTIVATIONS, GALU, SALU, SWALU, list_activations
from zoo.errors import ConfigurationError

from .cases import ALL, CHANNELS, FAMILY, functional, make

FAMILY_MODULES = [ACTIVATIONS.get(name).module for name in FAMILY]


def test_what_is_registered() -> None:
    assert list_activations() == ["derf", "dyt", "galu", "salu", "swalu"]
    assert {name: ACTIVATIONS.get(name).role for name in ALL} == {
        "salu": "stabiliser",
        "swalu": "gate",
        "galu": "gate",
        "dyt": "norm",
        "derf": "norm",
    }


@pytest.mark.parametrize("name", ALL)
def test_the_spec_describes_the_module(name: str) -> None:
    spec = ACTIVATIONS.get(name)
    module = spec.module(CHANNELS)
    assert spec.name == name
    assert spec.functional.__name__ == name
    assert [p.name for p in spec.parameters] == [key for key, _ in module.named_parameters()]
    for parameter in spec.parameters:
        value = module.get_parameter(parameter.name)
        assert value.shape == (() if parameter.shape == "scalar" else (CHANNELS,))
        assert torch.equal(value, torch.full_like(value, parameter.initial))
        assert not parameter.weight_decay
        assert (parameter.lr_factor, parameter.positive) == ((10.0, True) if name in FAMILY else (1.0, False))


@pytest.mark.parametrize("name", ALL)
def test_the_module_calls_its_functional(name: str) -> None:
    module, x = make(name), torch.randn(3, CHANNELS)
    torch.testing.assert_close(module(x), functional(name)(x, *module.parameters()))


@pytest.mark.parametrize(("module", "pair"), [(SALU, (1, 1)), (SWALU, (0.5, 0.5)), (GALU, (0.5, 0.5))])
def test_what_timm_passes_is_accepted(module: type[nn.Module], pair: tuple[float, float]) -> None:
    for made in (
        module(),
        module(64),
        module(64, eps=1e-5),
        module(inplace=True),
        module([64]),
        module(num_features=64),
    ):
        assert (made.a.item(), made.b.item()) == pair
        assert made.a.shape == made.b.shape == ()
    assert module().a is not module().a, "every site owns its parameters"


@pytest.mark.parametrize("module", FAMILY_MODULES)
@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1"])
def test_initial_values_must_be_positive_numbers(module: type[nn.Module], name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"{module.__name__}\({name}=.*positive finite number"):
        module(**{name: value})


@pytest.mark.parametrize("module", FAMILY_MODULES)
def test_other_arguments_are_refused(module: type[nn.Module]) -> None:
    with pytest.raises(TypeError, match="momentum"):
        module(64, momentum=0.1)
    with pytest.raises(ConfigurationError, match=r"first argument is the number of features.*a=\.\.\."):
        module(0.5)
    with pytest.raises(ConfigurationError, match="number of features"):
        module(0)


@pytest.mark.parametrize("name", ALL)
def test_inplace_leaves_the_input_alone(name: str) -> None:
    if name in FAMILY:
        x = torch.randn(3, CHANNELS)
        before = x.clone()
        make(name, inplace=True)(x)
        assert torch.equal(x, before)
    else:
        with pytest.raises(TypeError, match="inplace"):
            make(name, inplace=True)


@pytest.mark.parametrize("name", ALL)
def test_device_and_dtype(name: str) -> None:
    spec = ACTIVATIONS.get(name)
    assert {p.dtype for p in spec.module(CHANNELS, dtype=torch.float64).parameters()} == {torch.float64}
    ghost = spec.module(CHANNELS, device="meta")
    assert all(p.is_meta for p in ghost.parameters())
    assert spec.module.__name__ in repr(ghost)
    real = ghost.to_empty(device="cpu")
    real.reset_parameters()
    assert all(torch.equal(p, q) for p, q in zip(real.parameters(), spec.module(CHANNELS).parameters(), strict=True))


def test_repr_shows_the_learned_geometry() -> None:
    assert repr(SALU(64, a=1, b=0.01)) == "SALU(a=1, b=0.01, S=10, W=10)"
    assert repr(SWALU()) == "SWALU(a=0.5, b=0.5, S=1, W=2)"
    module = GALU()
    with torch.no_grad():
        module.a.neg_()
    assert repr(module) == "GALU(a=-0.5, b=0.5, S=1, W=2)"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("stored", [torch.float16, torch.float32], ids=str)
def test_the_output_has_the_dtype_of_the_input(name: str, dtype: torch.dtype, stored: torch.dtype) -> None:
    module = make(name).to(stored)
    x = torch.randn(3, CHANNELS).to(dtype).requires_grad_()
    y = module(x)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (dtype, dtype)
    assert {p.grad.dtype for p in module.parameters()} == {stored}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_changes_nothing_inside(name: str, dtype: torch.dtype) -> None:
    linear, module = nn.Linear(CHANNELS, CHANNELS), make(name)
    x = torch.randn(3, CHANNELS)
    with torch.autocast("cpu", dtype):
        hidden = linear(x)
        y = module(hidden)
    assert hidden.dtype == y.dtype == dtype
    assert torch.equal(y, module(hidden))
    y.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in [*module.parameters(), linear.weight])


@pytest.mark.parametrize("name", ALL)
def test_copies_are_equal_and_independent(name: str) -> None:
    module, x = make(name), torch.randn(2, CHANNELS)
    y = module(x)
    file = io.BytesIO()
    pickle.dump(module, file)
    fresh = ACTIVATIONS.get(name).module(CHANNELS)
    fresh.load_state_dict(load(save(module.state_dict())))
    for twin in (copy.deepcopy(module), pickle.loads(file.getvalue()), fresh):  # noqa: S301 - our own bytes
        assert torch.equal(twin(x), y)
        with torch.no_grad():
            for p in twin.parameters():
                p.add_(1)
        assert torch.equal(module(x), y)


@pytest.mark.parametrize("name", ALL)
def test_state_dict_is_the_parameters_and_loads_strictly(name: str) -> None:
    module = make(name)
    assert list(module.state_dict()) == [p.name for p in ACTIVATIONS.get(name).parameters]
    with pytest.raises(RuntimeError, match="Missing key"):
        module.load_state_dict({})

"""The modules: arguments, precision, copies, storage. Every registered activation runs through every test."""

import copy
import io
import pickle

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from zoo.activations import ACTIVATIONS, GALU, SALU, SWALU, kernel, list_activations, list_gates
from zoo.errors import ConfigurationError

from .cases import ALL, CHANNELS, DIRECT, FAMILY, FLES, NORMS, OURS, REGISTERED, build, example, functional, make

FAMILY_MODULES = [ACTIVATIONS.get(name).module for name in FAMILY]


# The functional of a gate that predicts its coefficients is that of another row, where it has the same form.
FORMS = {**dict.fromkeys(FLES, "fles"), "meta_acon": "acon_c"}


def test_what_is_registered() -> None:
    assert list_activations() == REGISTERED
    roles = {name: ACTIVATIONS.get(name).role for name in REGISTERED}
    assert roles.pop("iieu") == "filter"
    assert roles.pop("salu") == "stabiliser"
    assert roles.pop("se") == "attention"
    assert {roles.pop(name) for name in NORMS} == {"norm"}
    assert set(roles.values()) == {"gate"}
    assert sorted(roles) == sorted(list_gates())
    rivals = "relu gelu silu mish prelu pserf smu smu_1 star_relu acon_c meta_acon frelu dy_relu pwlu adashift"
    assert set(rivals.split()) | {"swalu", "galu"} | set(FLES) == set(roles)


@pytest.mark.parametrize("name", ALL)
def test_the_spec_describes_the_module(name: str) -> None:
    spec = ACTIVATIONS.get(name)
    module = build(name)
    assert spec.name == name
    assert spec.functional.__name__ == FORMS.get(name, name)
    assert [p.name for p in spec.parameters] == [key for key, _ in module.named_parameters()]
    assert all(getattr(module, key) == value for key, value in spec.arguments.items())
    sides = {"scalar": 1, "channel": 1, "matrix": 2, "kernel": 4}
    for parameter in spec.parameters:
        value = module.get_parameter(parameter.name)
        assert value.ndim == sides[parameter.shape]
        assert parameter.shape != "scalar" or value.shape == (1,)
        if parameter.initial is not None:
            assert torch.equal(value, torch.full_like(value, parameter.initial))
        if parameter.shape in ("scalar", "channel"):
            assert not parameter.weight_decay
        assert (parameter.lr_factor, parameter.positive) == ((10.0, True) if name in FAMILY else (1.0, False))


@pytest.mark.parametrize("name", DIRECT)
def test_the_module_calls_its_functional(name: str) -> None:
    module, x = make(name), example(name)
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
        assert made.a.shape == made.b.shape == (1,)
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


@pytest.mark.parametrize("name", OURS)
def test_inplace_leaves_the_input_alone(name: str) -> None:
    if name in NORMS:
        with pytest.raises(TypeError, match="inplace"):
            make(name, inplace=True)
    else:
        x = example(name)
        before = x.clone()
        make(name, inplace=True)(x)
        assert torch.equal(x, before)


@pytest.mark.parametrize("name", OURS)
def test_device_and_dtype(name: str) -> None:
    assert {p.dtype for p in build(name, dtype=torch.float64).parameters()} <= {torch.float64}
    ghost = build(name, device="meta")
    assert all(p.is_meta for p in ghost.parameters())
    assert type(ghost).__name__ in repr(ghost)
    real = ghost.to_empty(device="cpu")
    torch.manual_seed(0)
    if hasattr(real, "reset_parameters"):
        real.reset_parameters()
    # Numbers drawn in another order are other numbers; what starts at a fixed value must be back.
    for parameter in ACTIVATIONS.get(name).parameters:
        value = real.get_parameter(parameter.name)
        assert value.isfinite().all()
        if parameter.initial is not None:
            assert torch.equal(value, torch.full_like(value, parameter.initial))


def test_repr_shows_the_learned_geometry() -> None:
    assert repr(SALU(64, a=1, b=0.01)) == "SALU(a=1, b=0.01, S=10, W=10)"
    assert repr(SWALU()) == "SWALU(a=0.5, b=0.5, S=1, W=2)"
    module = GALU()
    with torch.no_grad():
        module.a.neg_()
    assert repr(module) == "GALU(a=-0.5, b=0.5, S=1, W=2)"


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("stored", [torch.float16, torch.float32], ids=str)
def test_the_output_has_the_dtype_of_the_input(name: str, dtype: torch.dtype, stored: torch.dtype) -> None:
    module = make(name).to(stored)
    x = example(name).to(dtype).requires_grad_()
    y = module(x)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (dtype, dtype)
    assert {p.grad.dtype for p in module.parameters()} <= {stored}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_changes_nothing_inside(name: str, dtype: torch.dtype) -> None:
    linear, module = nn.Linear(CHANNELS, CHANNELS), make(name)
    x = example(name)
    with torch.autocast("cpu", dtype):
        hidden = linear(x.movedim(1, -1)).movedim(-1, 1)
        y = module(hidden)
    assert hidden.dtype == y.dtype == dtype
    assert torch.equal(y, module(hidden))
    y.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in [*module.parameters(), linear.weight])


@pytest.mark.parametrize("name", ALL)
def test_copies_are_equal_and_independent(name: str) -> None:
    module, x = make(name), example(name)
    y = module(x)
    file = io.BytesIO()
    pickle.dump(module, file)
    fresh = build(name)
    fresh.load_state_dict(load(save(module.state_dict())))
    for twin in (copy.deepcopy(module), pickle.loads(file.getvalue()), fresh):  # noqa: S301 - our own bytes
        assert torch.equal(twin(x), y)
        with torch.no_grad():
            for p in twin.parameters():
                p.add_(1)
        assert torch.equal(module(x), y)


SCALARS = [name for name in ALL if any(p.shape == "scalar" for p in ACTIVATIONS.get(name).parameters)]


@pytest.mark.parametrize("name", SCALARS)
def test_scalars_stored_without_an_axis_load(name: str) -> None:
    module, fresh = nn.Sequential(make(name)), nn.Sequential(build(name))
    scalars = {f"0.{p.name}" for p in ACTIVATIONS.get(name).parameters if p.shape == "scalar"}
    stored = {key: value.view(()) if key in scalars else value for key, value in module.state_dict().items()}
    before = dict(stored)
    fresh.load_state_dict(load(save(stored)))
    assert {key: value.shape for key, value in fresh.state_dict().items() if key in scalars} == dict.fromkeys(
        scalars, (1,)
    )
    assert all(torch.equal(p, q) for p, q in zip(fresh.parameters(), module.parameters(), strict=True))
    fresh.load_state_dict(stored)
    assert stored == before, "the caller's own state is left alone"
    wrong = {key: torch.ones(2) if key in scalars else value for key, value in stored.items()}
    with pytest.raises(RuntimeError, match="size mismatch"):
        fresh.load_state_dict(wrong)


@pytest.mark.parametrize("name", [name for name in SCALARS if name not in NORMS])
def test_a_number_stays_a_number(name: str) -> None:
    module, row = make(name), torch.linspace(-2, 2, 5)
    outputs = torch.stack([module(x) for x in row])
    assert outputs.shape == row.shape
    torch.testing.assert_close(outputs, module(row))


@pytest.mark.parametrize("name", ALL)
def test_state_dict_is_the_parameters_and_loads_strictly(name: str) -> None:
    module = make(name)
    statistics = dict(module.named_buffers())
    assert [key for key in module.state_dict() if key not in statistics] == [
        p.name for p in ACTIVATIONS.get(name).parameters
    ]
    if module.state_dict():
        with pytest.raises(RuntimeError, match="Missing key"):
            module.load_state_dict({})


@pytest.mark.parametrize("which", ["plain", "auto"])
@pytest.mark.parametrize("name", ALL)
def test_no_samples_give_no_values_and_no_gradient(name: str, which: str) -> None:
    module, x = make(name), example(name, 0, requires_grad=True)
    with kernel(which):
        y = module(x)
    assert y.shape == x.shape
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert all(not p.grad.count_nonzero() for p in module.parameters())

"""Finding the learned scalars of a model, and keeping them positive."""

import math

import pytest
import torch
from torch import nn

from zoo.activations import (
    GALU,
    SALU,
    SWALU,
    DyT,
    FleS,
    activation_parameters,
    activation_spec,
    parameter_specs,
    project_parameters,
)

from .cases import FLES, make


class Impostor(nn.Module):
    """Owns parameters of the same names, and is none of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(-1.0))
        self.b = nn.Parameter(torch.tensor(-1.0))


def model() -> nn.Sequential:
    block = nn.ModuleDict({"norm": SALU(3), "act": SWALU(), "fake": Impostor()})
    return nn.Sequential(nn.Linear(3, 3), block, GALU(), DyT(3))


def test_found_by_type_not_by_name() -> None:
    net = model()
    found = activation_parameters(net)
    assert list(found) == ["1.norm.a", "1.norm.b", "1.act.a", "1.act.b", "2.a", "2.b"]
    by_name = dict(net.named_parameters())
    assert all(by_name[name] is parameter for name, parameter in found.items())
    assert set(parameter_specs(net)) == {*found, "3.alpha", "3.weight", "3.bias"}
    assert {spec.weight_decay for spec in parameter_specs(net).values()} == {False}


def test_a_bare_module_and_a_subclass_count() -> None:
    class Special(SALU):
        pass

    assert list(activation_parameters(SALU())) == ["a", "b"]
    assert list(activation_parameters(Special())) == ["a", "b"]
    assert activation_spec(Special()).name == "salu"
    assert activation_spec(nn.ReLU()).name == "relu"
    assert activation_spec(nn.Tanh()) is None
    assert activation_parameters(nn.Linear(2, 2)) == {}


@pytest.mark.parametrize("name", FLES)
def test_the_variants_of_fles_are_told_apart(name: str) -> None:
    module = make(name)
    assert activation_spec(module).name == name
    assert list(parameter_specs(module)) == [key for key, _ in module.named_parameters()]
    assert activation_parameters(module) == {}


def test_only_parameters_that_are_there_are_described() -> None:
    gate = FleS(3, variant="dg")
    gate.horizontal_bias = None
    assert list(parameter_specs(nn.Sequential(gate, nn.PReLU()))) == ["0.vertical_bias"]


def test_a_shared_module_counts_once_and_a_wrapper_keeps_names_in_step() -> None:
    act = SWALU()
    assert len(activation_parameters(nn.Sequential(act, nn.Linear(2, 2), act))) == 2
    wrapped = torch.compile(model(), backend="eager")
    assert set(activation_parameters(wrapped)) <= {name for name, _ in wrapped.named_parameters()}


def test_project_folds_stored_values_and_changes_no_output() -> None:
    net = nn.Sequential(SALU(3), SWALU(), Impostor())
    with torch.no_grad():
        net[0].a.fill_(-0.25)
        net[0].b.fill_(0.0)
        net[1].a.fill_(-1e-9)
    x = torch.linspace(-2, 2, 9)
    before = net[1](net[0](x))
    project_parameters(net)
    assert [p.item() for p in net[:2].parameters()] == pytest.approx([0.25, 1e-6, 1e-6, 0.5])
    assert torch.equal(net[1](net[0](x)), before)
    assert net[2].a.item() == -1.0, "what is not ours stays as it is"


def test_project_takes_parameters_and_a_floor_and_keeps_nan() -> None:
    a, b = SALU().parameters()
    with torch.no_grad():
        b.fill_(math.nan)
    version = a._version
    project_parameters([a, b], floor=2.0)
    assert a.item() == 2.0
    assert b.isnan()
    assert a._version > version, "autograd must see the change"
    project_parameters(nn.Linear(2, 2))


def test_learning_across_zero_stays_positive_and_finite() -> None:
    act = SALU(a=0.05, b=0.05)
    optimiser = torch.optim.SGD(act.parameters(), lr=0.5)
    x = torch.linspace(-3, 3, 31)
    for _ in range(50):
        optimiser.zero_grad()
        act(x).square().mean().backward()  # its minimum is a = 0: every step pushes towards and over it
        optimiser.step()
        project_parameters(act)
        assert min(act.a.item(), act.b.item()) >= 0.999e-6
        assert act(x).isfinite().all()

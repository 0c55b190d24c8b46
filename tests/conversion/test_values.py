"""What a conversion does to the outputs at the start."""

import copy

import pytest
import timm
import torch
from timm.layers import activations as of_timm
from torch import nn
from torch.nn import functional as F
from transformers import activations as of_transformers

import zoo
from conversion.nets import mlp
from zoo.activations import FleS
from zoo.activations.gates import list_gates
from zoo.conversion.replaceable import activation_kind
from zoo.conversion.target import Target

SILU = {
    "efficientnet": ("tinynet_e", {}),
    "regnet": ("regnetx_002", {"act_layer": nn.SiLU}),
    "squeeze and excitation": ("regnety_002", {"act_layer": nn.SiLU}),
    "transformer": ("vit_tiny_patch16_224", {"act_layer": nn.SiLU, "depth": 2, "img_size": 64}),
    "tokens laid out as maps": (
        "swin_tiny_patch4_window7_224",
        {"depths": (1, 1), "num_heads": (3, 6), "img_size": 56},
    ),
}


@pytest.mark.parametrize(("name", "options"), SILU.values(), ids=SILU)
def test_from_silu_every_bit_stays(name, options):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=10, **options).eval()
    x = torch.randn(2, 3, options.get("img_size", 64), options.get("img_size", 64))
    if "swin" in name:  # takes no other activation by itself
        model, _ = zoo.convert(model, "silu", example=x)
    converted, report = zoo.convert(model, example=x)
    assert not any(isinstance(m, nn.SiLU) for m in converted.modules())
    assert sum(isinstance(m, FleS) for m in converted.modules()) == len(report.sites) >= 2
    with torch.no_grad():
        fresh = torch.randn_like(x)
        assert torch.equal(converted(fresh), model(fresh))
    assert report.preserves
    assert report.difference == 0
    assert report.scale > 0
    assert report.left == report.warnings == ()
    assert all(site.steepness == 1 and site.difference == 0 for site in report.sites)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_from_silu_in_other_number_types(dtype):
    model = mlp().to(dtype)
    x = torch.randn(3, 4).to(dtype)
    converted, _ = zoo.convert(model, example=x)
    assert {p.dtype for p in converted.parameters()} == {dtype}
    apart = (converted(x) - model(x)).abs().max()
    assert apart == 0 or (dtype != torch.float64 and apart <= torch.finfo(dtype).eps)


GELU = [nn.GELU(), nn.GELU(approximate="tanh"), of_timm.GELU(), of_timm.GELUTanh(), of_transformers.GELUActivation(),
        of_transformers.NewGELUActivation(), of_transformers.FastGELUActivation(), of_transformers.GELUTanh(),
        of_transformers.AccurateGELUActivation()]  # fmt: skip


@pytest.mark.parametrize("act", GELU, ids=lambda act: f"{type(act).__module__.split('.')[0]} {type(act).__name__}")
def test_from_gelu_nearly(act):
    model = nn.Sequential(nn.Linear(4, 8), act)
    _, report = zoo.convert(model, example=20 * torch.randn(30, 4))
    (site,) = report.sites
    assert (site.kind, site.steepness, site.preserves) == ("gelu", 1.702, False)
    assert 0.0201 < site.difference < 0.0208  # sup |GELU(x) - x·σ(1.702·x)| is 0.0203 for the exact, 0.0207 for tanh
    assert report.difference <= 1.0001 * site.difference
    assert "do not compute the same bits" in report.warnings[0]


@pytest.mark.parametrize("act", [of_timm.QuickGELU(), of_transformers.QuickGELUActivation()])
def test_the_sigmoid_form_of_gelu_up_to_rounding(act):
    _, report = zoo.convert(nn.Sequential(nn.Linear(4, 8), act), example=torch.randn(3, 4))
    assert report.sites[0].difference < 1e-6


@pytest.mark.parametrize("act", [nn.SiLU(), nn.SiLU(inplace=True), of_timm.Swish(), of_transformers.SiLUActivation()])
def test_every_silu_is_one(act):
    _, report = zoo.convert(nn.Sequential(nn.Linear(4, 8), act), example=torch.randn(3, 4))
    assert (report.sites[0].kind, report.sites[0].steepness) == ("silu", 1)
    assert report.sites[0].difference < 1e-6  # timm's Swish multiplies in another order


def test_the_reported_difference_is_that_of_the_gates():
    for act, steepness in ((F.relu, 5.0), (F.relu6, 2.0), (F.hardswish, 1.0)):
        layer = {F.relu: nn.ReLU, F.relu6: nn.ReLU6, F.hardswish: nn.Hardswish}[act]
        model = nn.Sequential(nn.Linear(4, 8), layer())
        _, report = zoo.convert(model, example=20 * torch.randn(30, 4), steepness=steepness)
        x = torch.linspace(*report.sites[0].span, 100_001)
        clipped = x.clamp(max=6) if act is F.relu6 else x
        expected = (act(x) - clipped * torch.sigmoid(steepness * clipped)).abs().max().item()
        assert 0.995 * expected < report.sites[0].difference < 1.0001 * expected
        assert not report.preserves


def test_hidden_changes_are_told():
    from conversion.nets import InPlace

    _, report = zoo.convert(InPlace(), example=torch.randn(3, 4))
    assert report.preserves
    assert report.difference > 0
    assert "in place" in report.warnings[0]


def test_it_learns():
    torch.manual_seed(0)
    model, _ = zoo.convert(mlp(), example=torch.randn(3, 4))
    before = copy.deepcopy(model.state_dict())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):  # the trunk gets a gradient once the heads are not zero
        optimiser.zero_grad()
        model(torch.randn(6, 4)).square().sum().backward()
        optimiser.step()
    assert all(not torch.equal(value, before[name]) for name, value in model.state_dict().items())


# Gates whose output at one position depends on others; every other gate must look at one element.
MIXES = {"fles", "fles_adas", "fles_pn", "fles_proto", "meta_acon", "adashift", "dy_relu", "frelu", "iieu", "se"}


@pytest.mark.parametrize("name", list_gates())
def test_every_gate_is_a_target(name):
    target = Target(name)
    assert target.mixes_positions == (name in MIXES)
    assert target.mixes_samples == (name == "fles_proto")
    model = timm.create_model("test_resnet" if name == "silu" else "test_efficientnet", num_classes=3)
    x = torch.randn(2, 3, 32, 32)
    converted, report = zoo.convert(model, name, example=x)
    assert {site.became for site in report.sites} == {name}
    assert all(activation_kind(converted.get_submodule(site.path)) == name for site in report.sites)
    assert report.preserves == (name in ("fles", "fles_pn", "fles_dg", "fles_proto"))
    with torch.no_grad():
        assert converted.train()(x).shape == (2, 3)

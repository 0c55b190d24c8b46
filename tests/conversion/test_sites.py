"""Which places of a model are converted, and that each has parameters of its own."""

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d
from timm.models.resnet import Bottleneck, ResNet
from torch import nn

import zoo
from conversion.nets import Functional, Held, OneForThree, SharedBlock, SharedObject, mlp
from zoo.activations import SWALU, FleS
from zoo.errors import ConfigurationError

X = torch.randn(3, 4)


def gates(model):
    return {path: module for path, module in model.named_modules() if isinstance(module, FleS)}


def test_each_site_of_a_residual_block_has_its_own():
    model = ResNet(Bottleneck, (1, 1, 1, 1), num_classes=3, channels=(8, 8, 8, 8), stem_width=8)
    converted, report = zoo.convert(model, example=torch.randn(2, 3, 64, 64))
    found = gates(converted)
    assert [site.path for site in report.sites] == list(found)
    assert [site.num_features for site in report.sites[:4]] == [64, 8, 8, 32]
    assert {site.channel_axis for site in report.sites} == {1}
    owned = [id(p) for module in found.values() for p in module.parameters()]
    assert len(owned) == len(set(owned))
    trunks = [module.trunk_weight for module in found.values()]
    assert all(not torch.equal(a, b) for i, a in enumerate(trunks) for b in trunks[:i] if a.shape == b.shape)


def test_one_object_at_two_paths_becomes_two():
    model = SharedObject()
    converted, report = zoo.convert(model, example=X)
    assert {site.path: site.num_features for site in report.sites} == {"narrow.1": 6, "wide.1": 10}
    assert converted.narrow[1] is not converted.wide[1]
    assert model.narrow[1] is model.wide[1], "the original is untouched"
    assert torch.equal(converted(X), model(X))


def test_a_shared_block_stays_shared():
    converted, report = zoo.convert(SharedBlock(), example=X)
    (site,) = report.sites
    assert (site.path, site.aliases, site.calls) == ("first.1", ("again.1",), 2)
    assert converted.first is converted.again
    assert any("first.1 (2 calls)" in warning for warning in report.warnings)


def test_one_module_for_several_widths_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"relu \(ReLU\): one module is called 3 times .* with 8 and 16 channels"
    ):
        zoo.convert(OneForThree(), example=X)


def test_one_module_for_several_places_of_one_width_is_told():
    _, report = zoo.convert(OneForThree((8, 8, 8)), example=X)
    assert report.sites[0].calls == 3
    assert any("relu (3 calls)" in warning for warning in report.warnings)


def test_a_gate_without_channels_does_not_mind():
    converted, report = zoo.convert(OneForThree(), "swalu", example=X)
    assert isinstance(converted.relu, SWALU)
    assert (report.sites[0].num_features, report.sites[0].channel_axis, report.sites[0].steepness) == (None, None, None)


def test_partial_leaves_what_cannot_be():
    model = nn.Sequential(OneForThree(), nn.Linear(16, 3), nn.ReLU())
    converted, report = zoo.convert(model, example=X, partial=True)
    assert [site.path for site in report.sites] == ["2"]
    assert [(entry.path, entry.why) for entry in report.left] == [("0.relu", "problem")]
    assert isinstance(converted[0].relu, nn.ReLU)


def test_functional_calls_are_listed():
    _, report = zoo.convert(Functional(), example=torch.randn(2, 3, 5, 5))
    assert [site.path for site in report.sites] == ["act"]
    left = {(entry.path, entry.what) for entry in report.left if entry.why == "function"}
    assert left == {("", "gelu()"), ("", "relu()"), ("", "relu6()"), ("inner", "silu()")}
    assert "2 times" in next(entry.reason for entry in report.left if entry.what == "relu()")


def test_functional_norms_are_listed():
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(4)

        def forward(self, x):
            return nn.functional.layer_norm(self.norm(x), (4,)) + nn.functional.gelu(x)

    _, report = zoo.convert(Normed(), "salu", example=X)
    assert [entry.what for entry in report.left] == ["layer_norm()"]


def test_patterns():
    model = timm.create_model("tinynet_e", num_classes=3)
    x = torch.randn(2, 3, 64, 64)
    every = [site.path for site in zoo.convert(model, example=x)[1].sites]
    _, report = zoo.convert(model, example=x, include=["blocks.*"], exclude="*.se.act1")
    wanted = [path for path in every if path.startswith("blocks.") and not path.endswith(".se.act1")]
    assert [site.path for site in report.sites] == wanted
    assert {entry.path for entry in report.left} == set(every) - set(wanted)
    assert {entry.why for entry in report.left} == {"pattern"}
    assert any(entry.reason == "excluded by '*.se.act1'" for entry in report.left)


def test_kinds():
    model = nn.Sequential(nn.Linear(4, 4), nn.SiLU(), nn.GELU(), nn.Mish(), nn.Tanh())
    assert [s.kind for s in zoo.convert(model, example=X)[1].sites] == ["silu", "gelu"]
    assert [s.kind for s in zoo.convert(model, example=X, of="gelu")[1].sites] == ["gelu"]
    _, report = zoo.convert(model, example=X, of=["mish", nn.Tanh], steepness=1)
    assert [s.kind for s in report.sites] == ["mish", "Tanh"]
    assert [(e.what, e.why) for e in report.left] == [("SiLU", "kind"), ("GELU", "kind")]


def test_our_own_gates_are_kinds():
    model = zoo.create_model("salunet_c18_cifar", num_classes=3)
    converted, report = zoo.convert(model, of="swalu", steepness=1.0, include="layer1.*")
    assert {site.was for site in report.sites} == {"SWALU"}
    again, second = zoo.convert(converted, to="silu", of="fles")
    assert [site.path for site in second.sites] == [site.path for site in report.sites]
    assert second.sites[0].difference == 0
    assert not gates(again)


def test_a_subclass_may_compute_something_else():
    class Scaled(nn.ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    model = nn.Sequential(nn.Linear(4, 4), Scaled(), nn.SiLU())
    _, report = zoo.convert(model, example=X)
    assert [site.was for site in report.sites] == ["SiLU"]
    assert [(entry.path, entry.why) for entry in report.left] == [("1", "kind")]
    assert [s.was for s in zoo.convert(model, example=X, of=Scaled, steepness=2)[1].sites] == ["Scaled"]


def test_activations_inside_norm_layers():
    model = nn.Sequential(nn.Conv2d(3, 6, 1), BatchNormAct2d(6, act_layer=nn.SiLU))
    converted, report = zoo.convert(model, example=torch.randn(2, 3, 5, 5))
    assert [(s.path, s.num_features, s.channel_axis) for s in report.sites] == [("1.act", 6, 1)]
    assert isinstance(converted[1], BatchNormAct2d)


def test_what_is_held_elsewhere_too_is_found_out():
    model = Held()
    for target in ("fles", "swalu"):
        with pytest.raises(ConfigurationError, match="the former module somewhere else"):
            zoo.convert(model, target, example=X, inplace=True)
    assert isinstance(model.act, nn.SiLU)
    assert model.act is model.used[0]


def test_never_called_needs_no_channels_for_swalu():
    model = mlp()
    model.spare = nn.SiLU()
    model.forward = lambda x: nn.Sequential.forward(model[:4], x)
    with pytest.raises(ConfigurationError, match=r"spare \(SiLU\): the example pass never calls it"):
        zoo.convert(model, example=X, inplace=True)
    converted, report = zoo.convert(model, "swalu", example=X, inplace=True)
    assert isinstance(converted.spare, SWALU)
    assert report.sites[-1].calls == 0

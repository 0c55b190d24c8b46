"""SALU, DyT and Derf in place of norm layers."""

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d, GroupNormAct, LayerNorm2d, LayerNormAct2d, RmsNorm
from timm.layers.norm_act import FrozenBatchNorm2d
from torch import nn

import zoo
from zoo.activations import SALU, Derf, DyT
from zoo.conversion.replaceable import norm_channels, norm_kind
from zoo.errors import ConfigurationError

KINDS = {
    "batchnorm": [nn.BatchNorm1d(4), nn.BatchNorm2d(4), nn.SyncBatchNorm(4), BatchNormAct2d(4), FrozenBatchNorm2d(4)],
    "layernorm": [nn.LayerNorm(4), timm.layers.LayerNorm(4), LayerNorm2d(4), LayerNormAct2d(4)],
    "groupnorm": [nn.GroupNorm(2, 4), timm.layers.GroupNorm1(4), GroupNormAct(4, 2)],
    "rmsnorm": [nn.RMSNorm(4), RmsNorm(4), timm.layers.SimpleNorm(4)],
    "instancenorm": [nn.InstanceNorm2d(4)],
}
CASES = [(kind, layer) for kind, layers in KINDS.items() for layer in layers]


@pytest.mark.parametrize(("kind", "layer"), CASES, ids=lambda v: v if isinstance(v, str) else type(v).__name__)
def test_kinds(kind, layer):
    assert norm_kind(layer) == kind
    first = kind in ("batchnorm", "groupnorm", "instancenorm") or "2d" in type(layer).__name__
    assert norm_channels(layer) == (4, 1 if first else -1)


def test_what_is_no_norm():
    head = timm.layers.NormMlpClassifierHead(4, 3)
    assert norm_kind(head) is None
    assert norm_kind(nn.Linear(2, 2)) is None
    assert norm_kind(SALU()) is None


def test_batch_norm_to_salu():
    model = timm.create_model("resnet18", num_classes=3).eval()
    converted, report = zoo.convert(model, to="salu", example=torch.randn(2, 3, 32, 32))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in converted.modules())
    assert sum(isinstance(m, SALU) for m in converted.modules()) == len(report.sites) == 20
    assert len({id(p) for m in converted.modules() if isinstance(m, SALU) for p in m.parameters()}) == 40
    assert sum(isinstance(m, nn.ReLU) for m in converted.modules()) == 17
    assert not report.preserves
    assert "does not normalise" in report.warnings[0]
    assert all((site.difference, site.steepness, site.num_features) == (None, None, None) for site in report.sites)


def test_the_activation_in_a_norm_layer_stays():
    model = timm.create_model("tinynet_e", num_classes=3)
    converted, report = zoo.convert(model, to="salu", example=torch.randn(2, 3, 32, 32))
    acts = [m for m in model.modules() if isinstance(m, nn.SiLU)]
    assert sum(isinstance(m, nn.SiLU) for m in converted.modules()) == len(acts)
    x = torch.randn(2, 24, 4, 4)
    stem = converted.bn1
    assert torch.equal(stem(x), nn.functional.silu(stem.norm(x)))
    assert isinstance(converted.blocks[0][0].bn2, SALU), "no activation, no container"
    assert {site.was for site in report.sites} == {"BatchNormAct2d"}


@pytest.mark.parametrize(("name", "cls"), [("dyt", DyT), ("derf", Derf)])
def test_rivals_know_channels_and_axis(name, cls):
    model = timm.create_model("convnext_atto", num_classes=3, depths=(1, 1, 1, 1), dims=(8, 8, 16, 16))
    converted, report = zoo.convert(model, to=name, example=torch.randn(2, 3, 32, 32))
    sites = {site.path: (site.num_features, site.channel_axis) for site in report.sites}
    assert sites["stem.1"] == (8, 1)
    assert set(sites.values()) <= {(8, 1), (16, 1), (8, -1), (16, -1)}
    assert sum(isinstance(m, cls) for m in converted.modules()) == len(report.sites)


def test_start_values_reach_every_site():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.BatchNorm1d(4))
    converted, report = zoo.convert(model, to="salu", a=2.0, b=0.5)
    assert [(m.a.item(), m.b.item()) for m in converted[1:]] == [(2, 0.5), (2, 0.5)]
    assert report.arguments == {"a": 2.0, "b": 0.5}
    assert any("outputs were not compared" in warning for warning in report.warnings)
    assert [s.kind for s in zoo.convert(model, to="salu", of="layernorm")[1].sites] == ["layernorm"]


def test_number_types_and_training_mode():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)).to(torch.bfloat16)
    model[1].eval()
    converted, _ = zoo.convert(model, to="salu")
    assert converted[1].a.dtype == torch.bfloat16
    assert not converted[1].training
    assert converted.training


def test_torch_transformer_layers_survive():
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True).eval()
    converted, report = zoo.convert(layer, to="salu", example=torch.randn(3, 5, 8))
    assert [site.path for site in report.sites] == ["norm1", "norm2"]
    with torch.no_grad():
        assert converted(torch.randn(2, 5, 8)).shape == (2, 5, 8)


def test_a_norm_over_several_axes_has_no_channels_for_dyt():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.LayerNorm((4, 5, 5)))
    with pytest.raises(ConfigurationError, match="does not say how many channels"):
        zoo.convert(model, to="dyt")
    assert isinstance(zoo.convert(model, to="salu")[0][1], SALU)

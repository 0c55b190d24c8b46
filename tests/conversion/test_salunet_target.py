"""BatchNorm and ReLU to SALU and SWALU, without loss at the start."""

import copy

import pytest
import timm
import torch
from timm.layers.norm_act import FrozenBatchNorm2d
from timm.layers.std_conv import StdConv2d
from torch import nn

import zoo
from zoo.activations import SALU, SWALU
from zoo.conversion import rebuild
from zoo.conversion.folding import fold
from zoo.errors import ConfigurationError

X = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def lived_in(model):
    """Statistics and affine parameters as training leaves them."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "running_var") and module.running_var is not None:
                for value, low, high in ((module.weight, 0.5, 1.5), (module.running_var, 0.5, 2.0)):
                    value.copy_(low + (high - low) * torch.rand(value.shape, generator=generator))
                for value in (module.bias, module.running_mean):
                    value.copy_(torch.randn(value.shape, generator=generator))
    return model.eval()


def trained(name):
    torch.manual_seed(0)
    return lived_in(timm.create_model(name, num_classes=5))


@pytest.mark.parametrize("name", ["test_resnet", "mobilenetv2_035"])
def test_nothing_normalises_and_the_outputs_stay(name):
    model = trained(name)
    before = copy.deepcopy(model.state_dict())
    converted, report = zoo.convert(model, "salunet", example=X)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    relus = [m for m in model.modules() if isinstance(m, nn.ReLU | nn.ReLU6)]
    assert not any(isinstance(m, nn.BatchNorm2d | nn.ReLU | nn.ReLU6) for m in converted.modules())
    assert sum(isinstance(m, SALU) for m in converted.modules()) == len(norms)
    assert sum(isinstance(m, SWALU) for m in converted.modules()) == len(relus)
    assert len(report.sites) == len(norms) + len(relus)
    assert 0 < report.difference < 0.03 * report.scale
    assert report.left == ()
    fresh = torch.randn_like(X)
    with torch.no_grad():
        assert (converted(fresh) - model(fresh)).abs().max() < 0.05 * model(fresh).abs().max()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_the_report_says_what_was_folded_measured_and_chosen():
    model = trained("test_resnet")
    converted, report = zoo.convert(model, "salunet", example=X, headroom=32, steepness=50)
    assert report.arguments == {"headroom": 32.0, "steepness": 50.0}
    seen = {}
    for path in ("bn1", "layer2.0.bn2"):
        model.get_submodule(path).register_forward_hook(lambda m, a, y, path=path: seen.update({path: y.clone()}))
    with torch.no_grad():
        model(X)
    sites = {site.path: site for site in report.sites}
    for path, folded in (("bn1", "conv1.6"), ("layer2.0.bn2", "layer2.0.conv2")):
        site = sites[path]
        assert (site.was, site.kind, site.became, site.folded) == ("BatchNorm2d", "batchnorm", "salu", folded)
        assert site.span == pytest.approx((seen[path].min().item(), seen[path].max().item()), rel=1e-3)
        largest = max(-site.span[0], site.span[1])
        assert site.pair == (1.0, max((32 * largest) ** -2, 1e-6))
        salu = converted.get_submodule(path)
        assert (salu.a.item(), salu.b.item()) == pytest.approx(site.pair)
        assert site.difference == pytest.approx(largest * (1 - (1 + site.pair[1] * largest**2) ** -0.5), rel=0.01)
    assert sites["act1"].pair == (50.0, 50.0)
    assert sites["act1"].difference == pytest.approx(0.150 / 50, rel=0.01)


def test_a_value_beyond_the_widest_salu_is_told():
    model = trained("test_resnet")
    model.bn1.weight.data *= 100
    _, report = zoo.convert(model, "salunet", example=X)
    assert {site.path: site.pair[1] for site in report.sites}["bn1"] == 1e-6
    assert any("at most 1000 wide" in warning and "bn1" in warning for warning in report.warnings)


@pytest.mark.parametrize("name", ["test_resnet", "mobilenetv2_035"])
def test_it_comes_back_from_its_record(name):
    converted, report = zoo.convert(trained(name), "salunet", example=X)
    again = rebuild(timm.create_model(name, num_classes=5), report.to_dict())
    again.load_state_dict(converted.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval()(X), converted.eval()(X))
    other = timm.create_model(name, num_classes=5)
    folded = next(site.folded for site in report.sites if site.folded)
    parent, _, last = folded.rpartition(".")
    setattr(other.get_submodule(parent), last, nn.Identity())
    with pytest.raises(ConfigurationError, match="the model has no such layer there"):
        rebuild(other, report)


def test_it_learns():
    torch.manual_seed(0)
    converted, _ = zoo.convert(trained("test_resnet"), "salunet", example=X)
    converted.train()
    assert all(p.requires_grad for p in converted.parameters())
    optimiser, labels, losses = torch.optim.SGD(converted.parameters(), lr=0.01), torch.tensor([0, 1, 2, 3]), []
    for _ in range(8):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(converted(X), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert converted.conv1[0].bias.grad.abs().sum() > 0


LAYERS = {
    "convolution with a bias": (nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), (2, 4, 8, 8)),
    "groups": (nn.Conv2d(4, 8, 3, groups=2, bias=False), nn.BatchNorm2d(8), (2, 4, 8, 8)),
    "transposed": (nn.ConvTranspose2d(4, 6, 2, stride=2, bias=False), nn.BatchNorm2d(6), (2, 4, 8, 8)),
    "one dimension": (nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), (2, 4, 8)),
    "linear": (nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), (5, 4)),
    "no affine part": (nn.Linear(4, 6), nn.BatchNorm1d(6, affine=False), (5, 4)),
    "frozen": (nn.Conv2d(4, 6, 3), FrozenBatchNorm2d(6), (2, 4, 8, 8)),
}


@pytest.mark.parametrize(("layer", "norm", "shape"), LAYERS.values(), ids=LAYERS)
def test_every_kind_of_layer_folds(layer, norm, shape):
    torch.manual_seed(0)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    model = nn.Sequential(layer, norm).eval()
    x = torch.randn(shape)
    with torch.no_grad():
        torch.testing.assert_close(fold(layer, norm)(x), model(x), rtol=1e-4, atol=1e-5)
    converted, report = zoo.convert(model, "salunet", example=x)
    assert isinstance(converted[1], SALU)
    assert report.sites[0].folded == "0"
    assert report.difference < 0.01 * report.scale


def test_frozen_weights_stay_frozen():
    layer = nn.Conv2d(3, 4, 1, bias=False).requires_grad_(False)
    converted, _ = zoo.convert(nn.Sequential(layer, nn.BatchNorm2d(4)), "salunet", example=X)
    assert [p.requires_grad for p in converted[0].parameters()] == [False, False]


class Skipped(nn.Module):
    """The convolution's output is used beside its norm."""

    def __init__(self, both):
        super().__init__()
        self.conv, self.norm, self.act, self.both = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), both

    def forward(self, x):
        y = self.conv(x)
        if self.both == "added":
            return self.act(self.norm(y)) + y
        if self.both == "twice":
            return self.norm(self.conv(self.norm(y)[:, :3]))
        return self.norm(torch.relu_(y))


BN = nn.BatchNorm2d
REFUSED = {
    "nothing before it": (lambda: nn.Sequential(BN(3), nn.ReLU()), r"0 \(BatchNorm2d\): no convolution or linear"),
    "something between": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), BN(4)),
        r"2 \(BatchNorm2d\): no convolution or linear layer stands directly before it",
    ),
    "used elsewhere": (lambda: Skipped("added"), r"norm \(BatchNorm2d\): it is not alone in using the output of conv"),
    "changed in place": (lambda: Skipped("in place"), "it is not alone in using the output of conv"),
    "called twice": (lambda: Skipped("twice"), "the example pass calls it 2 times"),
    "no statistics": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), BN(4, track_running_stats=False)),
        "keeps no running statistics",
    ),
    "another norm": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4)),
        r"1 \(GroupNorm\): it measures every input anew",
    ),
    "standardised weights": (
        lambda: nn.Sequential(StdConv2d(3, 4, 1), lived_in(BN(4))),
        r"folded into 0 \(StdConv2d\) it computes something else",
    ),
    "parametrised weights": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 1)), BN(4)),
        "cannot take a factor for each channel",
    ),
    "nothing to convert": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.SiLU()), "has no BatchNorm or ReLU"),
    "headroom": ({"headroom": -1.0}, "give a positive number"),
    "steepness": ({"steepness": "two"}, "finite number"),
    "another argument": ({"a": 1.0}, "takes headroom and steepness, not 'a'"),
    "kinds": ({"of": "relu"}, "leave of, channel_axis and ignore_padding out"),
    "pattern": ({"exclude": "layer9"}, "fits no site"),
    "example": ({"example": torch.full_like(X, torch.nan)}, "not finite or not known"),
}


@pytest.mark.parametrize(("case", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_the_model_alone(case, said):
    options = case if isinstance(case, dict) else {}
    model = trained("test_resnet") if options else case().eval()
    before = dict(model.named_modules())
    with pytest.raises(ConfigurationError, match=said):
        zoo.convert(model, "salunet", **{"example": X, **options}, inplace=True)
    assert dict(model.named_modules()) == before


def test_a_model_without_an_example():
    with pytest.raises(ConfigurationError, match="must measure the range of values at each norm layer"):
        zoo.convert(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), "salunet")


def test_partial_leaves_and_names_what_cannot_be():
    model = lived_in(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()))
    converted, report = zoo.convert(model, "salunet", example=X, partial=True)
    assert [type(m) for m in converted] == [nn.BatchNorm2d, nn.Conv2d, SALU, SWALU]
    assert [(entry.path, entry.why) for entry in report.left] == [("0", "problem")]
    assert "the network still normalises: 0 (BatchNorm2d)" in report.warnings
    assert report.difference < 0.02 * report.scale


def test_patterns_may_mean_norms_or_gates():
    model = trained("test_resnet")
    converted, report = zoo.convert(model, "salunet", example=X, exclude=["layer4.*.bn?", "act1"])
    assert isinstance(converted.act1, nn.ReLU)
    assert isinstance(converted.layer4[0].bn1, nn.BatchNorm2d)
    assert isinstance(converted.layer4[0].downsample[2], SALU)
    assert {entry.why for entry in report.left} == {"pattern"}
    assert any("still normalises: layer4.0.bn1" in warning for warning in report.warnings)


def test_what_is_inside_a_norm_layer_keeps_its_values():
    """SALU for the norm around a trained FleS leaves that FleS as it is."""
    model, _ = zoo.convert(trained("test_efficientnet"), "fles", example=X)
    torch.nn.init.constant_(model.bn1.act.vertical_bias, 0.25)
    converted, _ = zoo.convert(model, "salu", example=X)
    assert (converted.bn1.act.vertical_bias == 0.25).all()

"""ReLU and ReLU6 to FleS: near what stood there, and still learning."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.conversion import RELU_STEEPNESS, rebuild
from zoo.conversion.site_module import UpperClip

X = 12 * torch.randn(64, 4, generator=torch.Generator().manual_seed(0))


def net(act):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), act, nn.Linear(8, 3))


@pytest.mark.parametrize(("act", "clip"), [(nn.ReLU(), None), (nn.ReLU6(), 6.0)], ids=["relu", "relu6"])
@pytest.mark.parametrize("to", ["fles", "fles_dg", "swalu", "galu"])
def test_relu6_keeps_its_clip_and_relu_has_none(act, clip, to):
    model = net(act)
    converted, report = zoo.convert(model, to, example=X)
    (site,) = report.sites
    assert site.clip == clip
    assert site.span[0] < -8
    assert site.span[1] > 8
    assert sum(isinstance(m, UpperClip) for m in converted.modules()) == (clip is not None)
    x = torch.linspace(*site.span, 100_001)[:, None].expand(-1, 8)
    with torch.no_grad():
        apart = (converted[1](x) - act(x)).abs().max().item()
    assert site.difference == pytest.approx(apart, rel=0.01)
    if to.startswith("fles"):
        assert site.difference == pytest.approx(0.27846 / RELU_STEEPNESS, rel=0.01)
        assert report.difference < 8 * site.difference


@pytest.mark.parametrize("to", ["relu", "silu", "acon_c"])
def test_other_gates_stand_alone(to):
    converted, report = zoo.convert(net(nn.ReLU6()), to, example=X)
    assert report.sites[0].clip is None
    assert not any(isinstance(m, UpperClip) for m in converted.modules())


def test_the_range_is_that_of_the_example():
    model = nn.Sequential(nn.GELU())
    _, report = zoo.convert(model, example=torch.tensor([[-0.5, 0.0, 0.25]]).repeat(2, 1))
    (site,) = report.sites
    assert site.span == (-0.5, 0.25)
    x = torch.linspace(-0.5, 0.25, 10_001)
    assert site.difference == pytest.approx((F.gelu(x) - x * torch.sigmoid(1.702 * x)).abs().max().item(), rel=0.01)
    _, report = zoo.convert(model, example=torch.tensor([[torch.inf, 1.0, 2.0]]))
    assert report.sites[0].span is None
    assert report.sites[0].difference == pytest.approx(0.0203, rel=0.01)


def test_a_narrow_range_does_not_make_it_the_same():
    _, report = zoo.convert(nn.Sequential(nn.ReLU()), example=torch.zeros(2, 3))
    assert (report.sites[0].span, report.sites[0].difference, report.preserves) == ((0.0, 0.0), 0.0, False)


def test_the_steep_start_learns():
    """Both coefficients get a gradient, in float32 and in bfloat16, and no value overflows."""
    for dtype in (torch.float32, torch.bfloat16):
        converted, _ = zoo.convert(net(nn.ReLU6()).to(dtype), example=X.to(dtype))
        converted((1e4 * X).to(dtype)).sum().backward()
        converted(X.to(dtype)).square().sum().backward()
        act = converted[1].act
        for p in (act.vertical_bias, act.horizontal_bias):
            assert p.grad.isfinite().all()
            assert (p.grad != 0).any()


def test_the_clip_is_rebuilt():
    converted, report = zoo.convert(net(nn.ReLU6()), example=X)
    again = rebuild(net(nn.ReLU6()), report.to_dict())
    again.load_state_dict(converted.state_dict())
    with torch.no_grad():
        assert torch.equal(again(X), converted(X))


def test_records_of_the_form_before_clips_still_load():
    converted, report = zoo.convert(net(nn.SiLU()), example=X)
    new = ("clip", "span", "pair", "folded")
    values = report.to_dict()
    old = {**values, "format": 2, "sites": [{k: v for k, v in s.items() if k not in new} for s in values["sites"]]}
    again = rebuild(net(nn.SiLU()), old)
    again.load_state_dict(converted.state_dict())
    with torch.no_grad():
        assert torch.equal(again(X), converted(X))

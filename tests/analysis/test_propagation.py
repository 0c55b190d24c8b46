"""Signals measured in small networks, what theory predicts of them, and bounds that must hold."""

import math

import pytest
import torch
from torch import nn

from tests.analysis.nets import Nothing, batches, tiny_resnet
from zoo.activations import GALU, SALU, SWALU, FleS
from zoo.analysis.geometry import geometry
from zoo.analysis.jacobian import network_gains
from zoo.analysis.lipschitz import layer_bounds
from zoo.analysis.propagation import propagate
from zoo.analysis.signals import signals
from zoo.errors import ConfigurationError
from zoo.models import build_model


@pytest.fixture(scope="module")
def images():
    return batches()


@pytest.fixture(scope="module")
def net():
    return tiny_resnet()


@pytest.fixture(scope="module")
def seen(net, images):
    return {signal.layer: signal for signal in signals(net, images)}


def test_the_signal_is_what_goes_in_and_out(net, images, seen):
    kept = []
    hook = net.layer1[0].act1.register_forward_hook(lambda m, i, o: kept.append((i[0].detach(), o.detach())))
    with torch.no_grad():
        net(torch.cat(images))
    hook.remove()
    x, y = (t.double() for t in kept[0])
    found = seen["layer1.0.act1"]
    assert (found.kind, found.stage) == ("SWALU", "L1")
    assert found.input_moment == pytest.approx(x.square().mean().item(), rel=1e-5)
    assert found.input_mean == pytest.approx(x.mean().item(), rel=1e-3, abs=1e-6)
    assert found.output_moment == pytest.approx(y.square().mean().item(), rel=1e-5)
    assert found.radius == pytest.approx(x.abs().max().item(), rel=1e-6)
    assert found.low == pytest.approx(x.quantile(0.01).item(), abs=0.1 * x.std().item())


def test_measured_slopes_stay_within_the_bounds(net, seen):
    bounds = layer_bounds(geometry(net), list(seen.values()))
    assert len(bounds) == 22
    for bound in bounds:
        assert 0 < bound.gain <= bound.peak <= bound.exact * (1 + 1e-6), bound.layer
        assert bound.exact <= bound.paper * (1 + 1e-6), bound.layer
        assert bound.peak >= 0.2 * bound.exact, bound.layer  # a bound that nothing comes near would prove little
        assert bound.holds


def test_gains_of_norms_and_of_an_inplace_relu():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(inplace=True)).eval()
    with torch.no_grad():
        net[0].weight.fill_(-2.5)
        net[0].bias.fill_(1.0)
    norm, relu = signals(net, batches(2))
    assert norm.gain == pytest.approx(2.5 / math.sqrt(1 + 1e-5), rel=1e-6)
    assert norm.peak is None
    assert relu.input_mean == pytest.approx(1.0, abs=0.05)  # before the ReLU replaced it
    assert relu.low < 0
    assert relu.output_moment < relu.input_moment
    assert 0.5 < relu.gain < 1


def test_a_fresh_network_has_the_moments_mean_field_theory_predicts():
    torch.manual_seed(1)
    layers = []
    for _ in range(4):
        layers += [nn.Conv2d(96 if layers else 3, 96, 3, padding=1), SALU(a=1.2, b=0.8), SWALU(a=0.8, b=0.3)]
    net = nn.Sequential(*layers)
    for conv in net[::3]:
        nn.init.normal_(conv.weight, std=1.3 / math.sqrt(conv.weight[0].numel()))
        nn.init.normal_(conv.bias, std=0.1)
    images = batches(1, 4, 16)
    measured = {signal.layer: signal.input_moment for signal in signals(net, images)}
    walk = propagate(net, (3, 16, 16), 6.0, images[0].square().mean().item(), bound=False)
    assert len(walk.arrivals) == 8
    for arrival in walk.arrivals:
        assert arrival.moment == pytest.approx(measured[arrival.layer], rel=0.1), arrival.layer
        assert not arrival.restarted
    assert (walk.lipschitz, walk.stopped) == (None, None)
    assert [m.position for m in walk.maps] == ["before"] * 4
    assert walk.maps[0].sigma_w2 == pytest.approx(1.69, rel=0.05)
    assert walk.maps[0].weight == "0"


def test_the_bound_of_the_network_holds(net, images, seen):
    x = torch.cat(images)
    radius = x.abs().max().item()
    walk = propagate(net, (3, 32, 32), radius)
    assert walk.stopped is None
    assert max(network_gains(net, x)) < walk.lipschitz
    for arrival in walk.arrivals:
        assert seen[arrival.layer].radius <= arrival.radius * (1 + 1e-6), arrival.layer
    # Far apart as well: the bound is not only local.
    y = batches(4, 12)[3].clamp(-radius, radius)
    with torch.no_grad():
        apart = (net(x) - net(y)).norm(dim=1) / (x - y).flatten(1).norm(dim=1)
    assert apart.max() < walk.lipschitz


def test_the_bound_of_plain_layers_is_their_product():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 6, bias=False), SALU(a=0.5), nn.Linear(6, 2, bias=False))

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(torch.flatten(x, 1))

    walk = propagate(Flat(), (1, 2, 3), 3.0)
    first, last = (torch.linalg.matrix_norm(m.weight.double(), 2).item() for m in (net[0], net[2]))
    assert walk.lipschitz == pytest.approx(first * 0.5 * last)


def test_pooling_counts_an_element_in_each_window_it_leads():
    conv, overlapping = nn.Conv2d(1, 1, 1), nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Flatten())
    alone, pooled = (propagate(net, (1, 8, 8), 1.0) for net in (nn.Sequential(conv), nn.Sequential(conv, overlapping)))
    assert pooled.lipschitz == pytest.approx(2 * alone.lipschitz)
    x = torch.zeros(1, 1, 8, 8)
    moved = x.clone()
    moved[0, 0, 3, 3] = 1
    assert (overlapping(moved) - overlapping(x)).norm() == pytest.approx(2)  # as much as the rule says


def test_a_summand_that_is_repeated_has_no_bound():
    class Sum(nn.Module):
        def __init__(self, narrow):
            super().__init__()
            self.conv, self.narrow = nn.Conv2d(2, 2, 1), narrow

        def forward(self, x):
            return x + (self.conv(x).mean((2, 3), keepdim=True) if self.narrow else self.conv(x))

    wide, narrow = (propagate(Sum(narrow), (2, 4, 4), 1.0, 1.0) for narrow in (False, True))
    assert wide.lipschitz > 1
    assert narrow.lipschitz is None


def test_a_step_without_a_rule_ends_the_bound_and_is_named():
    walk = propagate(
        nn.Sequential(nn.Conv2d(3, 8, 3), FleS(8, channel_axis=1), nn.Conv2d(8, 8, 3)), (3, 8, 8), 3.0, 1.0
    )
    assert walk.lipschitz is None
    assert "FleS" in walk.stopped


def test_a_transformer_starts_anew_at_each_salu():
    torch.manual_seed(0)
    net = build_model("salunet_t_cifar")
    x = batches(1, 2)[0]
    measured = {signal.layer: signal.input_moment for signal in signals(net, [x])}
    walk = propagate(net, (3, 32, 32), 3.0, 1.0, measured)
    assert {arrival.layer for arrival in walk.arrivals} == {g.layer for g in geometry(net)}
    by_layer = {arrival.layer: arrival for arrival in walk.arrivals}
    assert by_layer["blocks.3.norm1"].restarted
    assert by_layer["blocks.3.norm1"].moment == measured["blocks.3.norm1"]
    # From a norm through a linear layer to the gate there are rules.
    assert not by_layer["blocks.3.mlp.act1"].restarted
    assert by_layer["blocks.3.mlp.act1"].moment == pytest.approx(measured["blocks.3.mlp.act1"], rel=0.2)
    assert {(m.layer, m.weight, m.position) for m in walk.maps} >= {
        ("blocks.0.norm1", "blocks.0.attn.qkv", "after"), ("blocks.6.norm2", "blocks.6.mlp.fc1", "after"),
    }  # fmt: skip


def test_the_gain_of_a_linear_network_is_its_largest_singular_value():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    parameters = [p.requires_grad for p in net.parameters()]
    found = network_gains(net, torch.randn(3, 3, 2, 2), iterations=60)
    assert found == pytest.approx([torch.linalg.svdvals(net[1].weight.detach())[0].item()] * 3, rel=1e-3)
    assert [p.requires_grad for p in net.parameters()] == parameters


def test_what_cannot_be_looked_into_is_refused():
    with pytest.raises(ConfigurationError, match="no activation or norm"):
        signals(Nothing(), batches(1))
    with pytest.raises(ConfigurationError, match="no batch"):
        signals(nn.Sequential(GALU()), [])

    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ConfigurationError, match="step by step"):
        propagate(nn.Sequential(nn.Conv2d(3, 3, 1), Branching()), (3, 4, 4), 1.0)

"""Rank, isotropy and moments, against closed forms and against the same figures computed all at once."""

import math

import pytest
import torch
from torch import nn

from tests.analysis.nets import Nothing, batches, tiny_resnet
from zoo.analysis.representation import effective_rank, isotropy, representation
from zoo.errors import ConfigurationError
from zoo.models import build_model


def test_closed_forms():
    equal, alone = torch.full((7,), 3.0), torch.tensor([0.0, 5.0, 0.0, 0.0])
    assert (effective_rank(equal), isotropy(equal)) == (pytest.approx(7), pytest.approx(1))
    assert (effective_rank(alone), isotropy(alone)) == (pytest.approx(1), pytest.approx(1 / 4))
    two = torch.tensor([3.0, 1.0])
    assert effective_rank(two) == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)))
    assert isotropy(two) == pytest.approx(16 / (2 * 10))
    nothing = torch.tensor([0.0, -1e-18])
    assert (effective_rank(nothing), isotropy(nothing)) == (0.0, 0.0)


def test_the_stages_are_those_of_the_network_and_its_classifier():
    found = representation(tiny_resnet(), batches())
    assert [(r.stage, r.path, r.dimensions) for r in found] == [
        ("Stem", "act1", 64), ("L1", "layer1", 8), ("L2", "layer2", 16), ("L3", "layer3", 16), ("L4", "layer4", 24),
        ("Features", "fc", 24),
    ]  # fmt: skip
    assert [r.samples for r in found] == [12 * side * side for side in (16, 8, 4, 2, 1)] + [12]


def test_the_figures_are_those_of_the_whole_sample_at_once():
    net = tiny_resnet()
    found = {r.stage: r for r in representation(net, batches())}["L2"]
    kept = []
    hook = net.layer2.register_forward_hook(lambda m, i, o: kept.append(o.detach()))
    with torch.no_grad():
        net(torch.cat(batches()))
    hook.remove()
    x = kept[0].double()
    rows = x.permute(0, 2, 3, 1).reshape(-1, 16)
    # Singular values of the centred samples, instead of eigenvalues of summed products.
    eigenvalues = torch.linalg.svdvals(rows - rows.mean(0)) ** 2
    assert found.effective_rank == pytest.approx(effective_rank(eigenvalues), rel=1e-6)
    assert found.isotropy == pytest.approx(isotropy(eigenvalues), rel=1e-6)
    assert found.spectrum == pytest.approx((eigenvalues / eigenvalues.sum()).tolist(), abs=1e-7)
    z = (x - x.mean()) / x.std(correction=0)
    assert found.variance == pytest.approx(x.var(correction=0).item(), rel=1e-6)
    assert found.skewness == pytest.approx((z**3).mean().item(), rel=1e-5)
    assert found.excess_kurtosis == pytest.approx((z**4).mean().item() - 3, rel=1e-5)


def test_large_means_do_not_spoil_the_sums():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer1 = nn.Identity()

        def forward(self, x):
            return self.layer1(1000 + x)

    found = representation(Shifted(), batches(4, 8))[0]
    assert found.effective_rank == pytest.approx(3, rel=1e-3)
    assert found.variance == pytest.approx(1, abs=0.02)
    assert (found.skewness, found.excess_kurtosis) == (pytest.approx(0, abs=0.02), pytest.approx(0, abs=0.05))


def test_channels_last_and_tokens_are_read_along_their_channels():
    swin, tokens = build_model("fles_swin_cifar"), build_model("salunet_t_cifar")
    with torch.no_grad():
        found = representation(swin, batches(1, 2))
        assert [(r.stage, r.dimensions) for r in found] == [
            ("Stem", 64), ("S1", 64), ("S2", 128), ("S3", 256), ("Features", 256)
        ]  # fmt: skip
        blocks = representation(tokens, batches(1, 2))
    assert {r.dimensions for r in blocks} == {384}
    assert [r.samples for r in blocks] == [2 * 64] + [2 * 65] * 7 + [2]


def test_the_model_is_left_as_it_was():
    net = tiny_resnet().train()
    net.layer2.eval()
    representation(net, batches(1))
    assert net.training
    assert not net.layer2.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_what_cannot_be_looked_into_is_refused():
    with pytest.raises(ConfigurationError, match="neither layer1"):
        representation(Nothing(), batches(1))
    with pytest.raises(ConfigurationError, match="no batch"):
        representation(tiny_resnet(), [])

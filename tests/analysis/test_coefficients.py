"""The ranges of κ_ve and κ_ho, against values set by hand."""

import pytest
import torch
from torch import nn

from zoo.activations import FleS
from zoo.analysis import coefficients, plot_coefficients
from zoo.errors import ConfigurationError, OutputError


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), FleS(8, start="identity"), nn.Linear(8, 4), FleS(4, start="identity", steepness=1.702)
    )


def batches(count=3):
    return [torch.randn(5, 7, 6, generator=torch.Generator().manual_seed(i)) for i in range(count)]


def test_a_fresh_model_has_its_start_values_everywhere():
    first, second = coefficients(net(), batches())
    assert (first.layer, first.channels, second.layer, second.channels) == ("1", 8, "3", 4)
    assert set(first.vertical.values()) == {1.0, 0.0}
    assert first.vertical["within"] == 0
    assert all(second.horizontal[name] == pytest.approx(1.702) for name in ("min", "p5", "median", "p95", "max"))


def test_the_numbers_are_those_of_the_coefficients():
    model = net()
    with torch.no_grad():
        model[1].vertical_norm.copy_(torch.linspace(-1, 1, 8))
        model[1].horizontal_weight.normal_()
    found = coefficients(model, batches())[0]
    with torch.no_grad():
        vertical, horizontal = model[1].coefficients(model[0](torch.cat(batches())))
    assert found.vertical["max"] == pytest.approx(vertical.max().item(), rel=1e-5)
    assert found.vertical["min"] == pytest.approx(vertical.min().item(), rel=1e-5)
    assert found.horizontal["median"] == pytest.approx(horizontal.median().item(), abs=0.05)
    assert found.vertical["within"] == pytest.approx(vertical[:, 0].std(0, correction=0).mean().item(), rel=1e-4)


def test_the_model_is_left_as_it_was():
    model = net().train()
    model[2].eval()
    coefficients(model, batches(1))
    assert [module.training for module in model] == [True, True, False, True]
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_what_has_no_coefficients_is_refused():
    with pytest.raises(ConfigurationError, match="has no FleS"):
        coefficients(nn.Linear(2, 2), batches())
    with pytest.raises(ConfigurationError, match="no batch"):
        coefficients(net(), [])


def test_the_picture_is_written_whole_or_not_at_all(tmp_path):
    from PIL import Image

    layers = coefficients(net(), batches(1))
    written = plot_coefficients(layers, tmp_path / "found.png", "A title")
    with Image.open(written) as picture:
        assert picture.size[0] > 500
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        plot_coefficients(layers, tmp_path / "file" / "found.png")

"""Bounds of convolutions, against the matrix of the convolution itself."""

import pytest
import torch
from torch import nn

from zoo.analysis.spectral import convolution_norm, linear_norm
from zoo.errors import ConfigurationError

CASES = {
    "plain": {"kernel_size": 3, "padding": 1},
    "stride": {"kernel_size": 3, "padding": 1, "stride": 2},
    "even": {"kernel_size": 2, "stride": 2},
    "wide": {"kernel_size": 5, "padding": 3},
    "dilated": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "grouped": {"kernel_size": 3, "padding": 1, "groups": 2},
    "pointwise": {"kernel_size": 1},
    "uneven": {"kernel_size": (1, 3), "padding": (0, 1)},
}


def dense(layer: nn.Conv2d, height: int, width: int) -> torch.Tensor:
    """The convolution as a matrix: what it makes of each unit image."""
    units = torch.eye(layer.in_channels * height * width).reshape(-1, layer.in_channels, height, width)
    with torch.no_grad():
        return layer(units).flatten(1).T.double()


@pytest.mark.parametrize("name", CASES)
def test_no_convolution_is_above_its_bound_and_few_are_far_below(name):
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 6, bias=False, **CASES[name])
    true = torch.linalg.matrix_norm(dense(layer, 7, 6), 2).item()
    bound = convolution_norm(layer, 7, 6)
    assert true <= bound * (1 + 1e-6)
    if layer.stride == (1, 1):
        assert bound <= 1.35 * true


def test_a_pointwise_convolution_and_a_matrix_are_exact():
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 3, 1)
    expected = torch.linalg.svdvals(layer.weight.detach().double().flatten(1))[0].item()
    assert convolution_norm(layer, 9, 9) == pytest.approx(expected, rel=1e-9)
    assert linear_norm(torch.diag(torch.tensor([1.0, -3.0, 2.0]))) == pytest.approx(3)


def test_on_a_large_image_the_bound_is_the_norm():
    torch.manual_seed(1)
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    true = torch.linalg.matrix_norm(dense(layer, 24, 24), 2).item()
    assert true <= convolution_norm(layer, 24, 24) <= 1.01 * true


def test_other_padding_has_no_bound():
    with pytest.raises(ConfigurationError, match="zero padding"):
        convolution_norm(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), 8, 8)

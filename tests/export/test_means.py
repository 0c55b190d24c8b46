"""Which means of FleS an input can have, where rounding decides about elements next to zero."""

import numpy as np
import pytest
import torch
from torch import nn

from export.layouts.means import MAX_GAP, NEXT_TO_ZERO, SMALLEST, gaps
from export.parity.given import run_torch
from zoo.activations import FleS

X = np.random.default_rng(0).normal(size=(2, 5, 7, 9)).astype(np.float32)


def mean_of(x: np.ndarray, keep: np.ndarray | bool = True) -> np.ndarray:
    above = (x >= 0) & keep
    return (x * above).sum((2, 3)) / np.maximum(above.sum((2, 3)), 1)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_the_mean_itself_can_be(axis):
    assert gaps(mean_of(X), np.moveaxis(X, 1, axis), axis).max() < 1e-6


def test_an_element_next_to_zero_counts_or_not():
    x = X.copy()
    x[0, 0, 0, :2] = np.array([0.9, -0.9]) * NEXT_TO_ZERO
    t = mean_of(x)
    for one_more in (-1, 0, 1):
        k = (x[0, 0] >= 0).sum()
        t[0, 0] = x[0, 0].clip(0).sum() / (k + one_more)
        assert gaps(t, x, 1).max() < 1e-6, one_more
    for too_many in (-2, 2):
        t[0, 0] = x[0, 0].clip(0).sum() / (k + too_many)
        assert gaps(t, x, 1)[0, 0] > MAX_GAP, too_many


def test_a_mean_that_no_rounding_causes():
    total, k = X.clip(0).sum((2, 3)), (X >= 0).sum((2, 3))
    for wrong in (total / (k + 1), total / X[0, 0].size, X.mean((2, 3)), mean_of(X) * 1.001, -mean_of(X)):
        assert gaps(wrong, X, 1).min() > MAX_GAP
    assert np.isposinf(gaps(np.full_like(mean_of(X), np.nan), X, 1)).all()


def test_a_sum_in_float32_one_by_one():
    """All tokens of a checkerboard are equal, and one channel stands out of the others."""
    x = np.full((1, 3136, 8), 0.05, np.float32)
    x[..., 0] = 0.5307047
    t = np.full((1, 8), 0.05, np.float32)
    t[0, 0] = np.add.accumulate(x[0, :, 0])[-1] / np.float32(3136)
    assert abs(t[0, 0] / 0.5307047 - 1) > 1e-5
    assert gaps(t, x, 2).max() < MAX_GAP
    t[0, 0] = 0.5307047 * 3136 / 3137
    assert gaps(t, x, 2).max() > MAX_GAP


def test_channels_of_one_sign():
    x = -np.abs(X)
    assert gaps(np.zeros((2, 5), np.float32), x, 1).max() == 0
    assert gaps(np.full((2, 5), 1e-3, np.float32), x, 1).min() > MAX_GAP
    assert gaps(mean_of(-x), -x, 1).max() < 1e-6
    assert gaps(np.zeros((2, 5), np.float32), np.zeros_like(X), 1).max() == 0


def test_denormal_numbers_are_not_counted():
    """Each is a few of the smallest steps of float32, so two programs agree on their order of magnitude only."""
    x = np.float32(1e-40) * X
    assert gaps(x.max((2, 3)), x, 1).max() < MAX_GAP
    x = np.float32(100 * SMALLEST) * X
    assert gaps(x.max((2, 3)), x, 1).min() > MAX_GAP


def test_what_a_mask_hides_does_not_count():
    keep = np.ones((2, 7, 9), bool)
    keep[0, 3:], keep[1] = False, False
    x = X.copy()
    x[0, :, 5] = np.nan
    found = gaps(mean_of(np.nan_to_num(x), keep[:, None]), x, 1, keep)
    assert found[0].max() < 1e-6
    assert np.isnan(found[1]).all(), "no position counts"
    assert gaps(mean_of(X), X, 1, keep)[0].min() > MAX_GAP


def test_nothing_is_asked_where_float32_ends():
    largest = np.float32(np.finfo(np.float32).max)
    for value in (np.nan, np.inf, largest):
        x = X.copy()
        x[0, 0, 0, :2] = value
        found = gaps(np.full((2, 5), np.inf, np.float32), x, 1)
        assert np.isnan(found[0, 0])
        assert np.isposinf(found[1]).all()


class Smaller(nn.Module):
    def forward(self, x):
        return x * 1e-10


def test_behind_a_sum_that_overflowed_no_mean_is_judged():
    """The reference has no mean there either, though a kernel, which adds in double, would have."""
    model = nn.Sequential(FleS(64, 1), Smaller(), FleS(64, 1)).eval()
    x = torch.full((1, 64, 32, 32), 1e36)
    given = {"0": [torch.full((1, 64), torch.inf)], "2": [torch.full((1, 64), 5.0)]}
    assert run_torch(model, {"x": x}, given).largest_gap([0])[0] == 0
    right = {"0": [torch.full((1, 64), 1e26)], "2": given["2"]}
    gap, path = run_torch(model, {"x": x * 1e-10}, right).largest_gap([0])
    assert (gap > 0.9, path) == (True, "2")

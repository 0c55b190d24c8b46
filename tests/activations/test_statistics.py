"""The channel statistics FleS and its rivals read: exact sums in half precision, and nothing undefined at the edges."""

import pytest
import torch

from zoo.activations import ACTIVATIONS, list_gates, make_gate
from zoo.activations.channel_means import plain_mean, positive_mean
from zoo.errors import ShapeError

from .tolerances import SUM_FLOAT32

HALF = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_long_sums_do_not_round_or_overflow(dtype: torch.dtype) -> None:
    # 2¹⁷ ones: a float16 sum would be infinite, a bfloat16 sum would stop growing at 256.
    x = torch.ones(1, 2**17, 2, dtype=dtype)
    x[..., 1] = -1
    assert positive_mean(x, -1, 2).tolist() == [[1.0, 0.0]]
    assert plain_mean(x, -1, 2).tolist() == [[1.0, -1.0]]
    x[..., 0] = torch.finfo(dtype).max / 2
    assert positive_mean(x, -1, 2)[0, 0].item() == torch.finfo(dtype).max / 2 or dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [*HALF, torch.float32], ids=str)
def test_means_are_those_of_float64(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)).to(dtype)
    wide = x.double()
    for mean, expected in (
        (positive_mean(x, 1, 3), torch.stack([torch.stack([c[c >= 0].mean() for c in s]) for s in wide])),
        (plain_mean(x, 1, 3), wide.mean((2, 3))),
    ):
        assert mean.dtype == torch.float32
        torch.testing.assert_close(mean.double(), expected, rtol=SUM_FLOAT32, atol=SUM_FLOAT32)


def test_over_the_batch_it_is_one_mean_for_all_samples() -> None:
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(2))
    mean = positive_mean(x, -1, 3, over_batch=True)
    assert mean.shape == (1, 3)
    torch.testing.assert_close(mean[0], torch.stack([c[c >= 0].mean() for c in x.flatten(0, 1).T]))
    assert torch.equal(positive_mean(x[torch.randperm(4)], -1, 3, over_batch=True) > 0, mean > 0)


def test_a_channel_without_positive_elements_has_mean_zero() -> None:
    x = torch.tensor([[[-1.0, 0.0, 2.0], [-3.0, 0.0, -1.0]]], requires_grad=True)
    mean = positive_mean(x, -1, 3)
    assert mean.tolist() == [[0.0, 0.0, 2.0]]
    mean.sum().backward()
    assert x.grad.tolist() == [[[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]


@pytest.mark.parametrize(
    "name", [name for name in list_gates() if ACTIVATIONS.get(name).channelwise and name != "frelu"]
)
def test_maps_without_positions_give_finite_gradients(name: str) -> None:
    gate, x = make_gate(name, 8, 1), torch.zeros(2, 8, 0, 3, requires_grad=True)
    y = gate(x)
    assert y.shape == x.shape
    y.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in gate.parameters())


def test_one_position_is_the_value_itself() -> None:
    x = torch.tensor([[1.5, -2.0]])
    assert positive_mean(x, -1, 2).tolist() == [[1.5, 0.0]]
    assert plain_mean(x, -1, 2).tolist() == [[1.5, -2.0]]
    assert positive_mean(x[:, :, None, None], 1, 2).tolist() == [[1.5, 0.0]]


@pytest.mark.parametrize("statistic", [positive_mean, plain_mean])
def test_a_mask_chooses_positions(statistic) -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(2, 4, 5, dtype=torch.bool)
    mask[:, 1:3, :2] = True
    torch.testing.assert_close(statistic(x, 1, 3, mask), statistic(x[:, :, 1:3, :2], 1, 3))
    assert statistic(x, 1, 3, torch.zeros_like(mask)).tolist() == [[0.0] * 3] * 2
    x[:, :, 0] = torch.inf
    assert statistic(x, 1, 3, mask).isfinite().all()
    with pytest.raises(ShapeError, match="the batch and the positions"):
        statistic(x, 1, 3, mask[:, 0])

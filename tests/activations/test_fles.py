"""FleS equals its definition for every variant, layout and precision."""

import pytest
import torch
from torch import Tensor

from zoo.activations import FleS, fles
from zoo.errors import ConfigurationError, ShapeError

from .fles_reference import LAYOUTS, VARIANTS, module, noise, parameter_count, reference
from .tolerances import CHAIN_FLOAT32, CHAIN_FLOAT64, FLES_FLOAT32, FLES_FLOAT64

HALF = [torch.float16, torch.bfloat16]


def mask_for(x: Tensor, axis: int) -> Tensor:
    positions = x.movedim(axis, -1).shape[:-1]
    return torch.rand(positions, generator=torch.Generator().manual_seed(3)) < 0.6


@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_equals_its_definition(variant: str, shape: tuple, axis: int, masked: bool) -> None:
    gate, x = module(variant, axis), noise(shape)
    mask = mask_for(x, axis) if masked else None
    expected = reference(gate, x, mask)
    torch.testing.assert_close(gate(x, mask).double(), expected, rtol=FLES_FLOAT32, atol=FLES_FLOAT32)
    gate = gate.double()
    torch.testing.assert_close(gate(x.double(), mask), expected, rtol=FLES_FLOAT64, atol=FLES_FLOAT64)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision_is_the_exact_value_rounded_once(variant: str, dtype: torch.dtype) -> None:
    gate, x = module(variant), noise((3, 40, 5)).to(dtype)
    exact = reference(gate, x)
    error = FLES_FLOAT32 * (1 + exact.abs())
    y = gate(x)
    assert ((y >= (exact - error).to(dtype)) & (y <= (exact + error).to(dtype))).all()
    stored = module(variant).to(dtype)
    torch.testing.assert_close(stored(x).double(), reference(stored, x).to(dtype).double())


@pytest.mark.parametrize("variant", ["fles", "pn", "dg", "adas"])
def test_a_sample_does_not_see_its_batch(variant: str) -> None:
    gate, x = module(variant), noise((4, 6, 5))
    together = gate(x)
    for i in range(4):
        torch.testing.assert_close(gate(x[i : i + 1])[0], together[i], rtol=FLES_FLOAT32, atol=FLES_FLOAT32)
    others = torch.cat([x[:1], 100 * noise((3, 6, 5), seed=9)])
    torch.testing.assert_close(gate(others)[0], together[0], rtol=FLES_FLOAT32, atol=FLES_FLOAT32)


def test_the_prototype_sees_its_batch_by_definition() -> None:
    gate, x = module("proto"), noise((4, 6, 5))
    assert not torch.allclose(gate(x[:1])[0], gate(x)[0], rtol=1e-2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_mask_leaves_positions_out(variant: str) -> None:
    gate, x = module(variant), noise((2, 6, 5))
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]] * 2)
    short = gate(x[:, :4])
    padded = x.clone()
    padded[:, 4:] = torch.nan
    for form in (mask, mask.bool(), mask.float(), mask.to(torch.int32)):
        torch.testing.assert_close(gate(padded, form)[:, :4], short, rtol=FLES_FLOAT32, atol=FLES_FLOAT32)
    torch.testing.assert_close(gate(x, torch.ones(2, 6)), gate(x), rtol=FLES_FLOAT32, atol=FLES_FLOAT32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_mask_that_keeps_nothing_gives_the_values_of_an_empty_sample(variant: str) -> None:
    gate, x = module(variant), noise((2, 6, 5)).requires_grad_()
    y = gate(x, torch.zeros(2, 6))
    torch.testing.assert_close(y.double(), reference(gate, x, torch.zeros(2, 6)), rtol=FLES_FLOAT32, atol=FLES_FLOAT32)
    y.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("sign", [1.0, -1.0, 1e-30, -1e-30, 0.0])
def test_the_steepness_may_cross_zero(sign: float) -> None:
    x = noise((50,), scale=5).double().float()
    horizontal = torch.tensor(0.0 if sign == 0 else sign * 1e-8)
    expected = (2.0 * torch.sigmoid(horizontal.double() * x.double()) * x.double()).float()
    torch.testing.assert_close(fles(x, 2.0, horizontal), expected, rtol=CHAIN_FLOAT32, atol=0)


def test_channels_last_stays_channels_last() -> None:
    x = noise((2, 5, 3, 3)).to(memory_format=torch.channels_last)
    assert module("fles", 1)(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [1, 8, 384, 1024, 1056, 3072])
def test_parameter_counts(channels: int) -> None:
    def count(variant: str) -> int:
        return sum(p.numel() for p in FleS(channels, variant=variant, device="meta").parameters())

    assert count("fles") == count("pn") == parameter_count(channels)
    assert (count("dg"), count("proto")) == (2 * channels, 4 * channels)
    assert count("adas") - count("fles") == 2 * channels * max(32, channels // 24) + 2 * channels
    assert FleS(channels, hidden=4, device="meta").trunk_weight.shape == (4, channels)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("shape", "axis"), [((3, 4), -1), ((3, 4, 2, 2), 1), ((5,), -1), ((), -1), ((5, 3), 0)])
def test_wrong_shapes_are_named(variant: str, shape: tuple, axis: int) -> None:
    with pytest.raises(ShapeError, match=rf"axis {axis} must hold 5 channels"):
        module(variant, axis)(torch.zeros(shape))


@pytest.mark.parametrize("variant", ["fles", "pn", "proto", "adas"])
def test_wrong_masks_are_named(variant: str) -> None:
    with pytest.raises(ShapeError, match=r"mask has shape \(2, 5\).*must be \(2, 3\)"):
        module(variant)(torch.zeros(2, 3, 5), torch.ones(2, 5))
    with pytest.raises(ShapeError, match=r"must be \(2, 3, 4\)"):
        module(variant, 1)(torch.zeros(2, 5, 3, 4), torch.ones(2, 4, 3))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"variant='adash'.*Nearest: adas"):
        FleS(4, variant="adash")
    with pytest.raises(ConfigurationError, match="number of channels"):
        FleS(0)
    with pytest.raises(ConfigurationError, match="hidden must be a positive integer"):
        FleS(4, hidden=0)
    with pytest.raises(ConfigurationError, match=r"start='papier'.*Nearest: paper"):
        FleS(4, start="papier")
    with pytest.raises(ConfigurationError, match="steepness must be a finite number"):
        FleS(4, start="identity", steepness=float("nan"))
    with pytest.raises(ConfigurationError, match="steepness must be positive"):
        FleS(4, start="identity", steepness=0.0)
    with pytest.raises(ConfigurationError, match=r'start="paper" sets it.*start="identity"'):
        FleS(4, steepness=1.702)
    with pytest.raises(TypeError, match="floating-point tensor is needed"):
        FleS(4)(torch.zeros(2, 4, dtype=torch.int64))
    assert repr(FleS((4,), 1)) == "FleS(4, channel_axis=1, variant='fles', hidden=32)"
    assert repr(FleS(4, variant="dg")) == "FleS(4, channel_axis=-1, variant='dg')"


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_may_be_attributes_only(variant: str) -> None:
    """As in the replicas of nn.DataParallel, and where torch's parametrisations compute them."""
    gate, x = module(variant), noise((3, 4, 5))
    replica = gate._replicate_for_data_parallel()
    for name, parameter in gate.named_parameters():
        setattr(replica, name, parameter.detach().clone())
    assert torch.equal(replica(x), gate(x))
    for name in [name for name, _ in gate.named_parameters()]:
        expected = gate(x)
        torch.nn.utils.parametrize.register_parametrization(gate, name, torch.nn.Identity())
        assert torch.equal(gate(x), expected)


def test_float64_is_computed_in_float64() -> None:
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    expected = 1.3 / (1 + torch.exp(-0.7 * x)) * x
    torch.testing.assert_close(fles(x, 1.3, 0.7), expected, rtol=4 * CHAIN_FLOAT64, atol=CHAIN_FLOAT64)

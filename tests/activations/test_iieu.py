"""IIEU-B against its formula, a patch at a time."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from zoo.activations import activation_spec, make_gate, parameter_specs
from zoo.activations.rivals.iieu import IIEU, lengths
from zoo.errors import ShapeError, UnknownNameError

from .tolerances import FLES_FLOAT32


def gate(channels: int, axis: int) -> IIEU:
    made = IIEU(channels, axis)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.linspace(0.1, 0.4, channels))
    return made


def definition(made: IIEU, x: Tensor, cosine: Tensor) -> Tensor:
    """For (n, positions, c), in float64."""
    x, cosine = x.double(), cosine.double()
    weight, bias, bound = (p.detach().double() for p in made.parameters())
    mean = x.mean(1)
    level = (mean - mean.mean(1, keepdim=True)) / (mean.var(1, correction=0, keepdim=True) + 1e-6).sqrt()
    score = cosine + 1 / (1 + torch.exp(-(level * weight + bias)))[:, None] - bound
    return torch.where(score < 0, bound * x * torch.exp(score), (bound + score) * x)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1)])
def test_behind_a_convolution(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    layer, made = nn.Conv2d(3, 4, kernel, stride, padding, bias=False), gate(4, 1)
    source = torch.randn(2, 3, 6, 6)
    x = layer(source)
    patches = nn.functional.unfold(source.double(), kernel, 1, padding, stride).transpose(1, 2)
    filters = layer.weight.detach().double().flatten(1)
    cosine = (patches @ filters.T) / (patches.norm(dim=2, keepdim=True) * filters.norm(dim=1))
    assert cosine.abs().max() <= 1
    expected = definition(made, x.flatten(2).transpose(1, 2), cosine).transpose(1, 2).view(x.shape)
    torch.testing.assert_close(made(x, source, layer).double(), expected, rtol=FLES_FLOAT32, atol=FLES_FLOAT32)


def test_behind_a_linear_layer_and_its_gradients() -> None:
    torch.manual_seed(0)
    layer, made = nn.Linear(3, 4, bias=False).double(), gate(4, -1).double()
    source = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    cosine = nn.functional.cosine_similarity(source[:, :, None], layer.weight[None, None], dim=3)
    torch.testing.assert_close(made(layer(source), source, layer), definition(made, layer(source), cosine))
    assert gradcheck(lambda a: made(layer(a), a, layer), source)
    made(layer(source), source, layer).sum().backward()
    assert all(p.grad.isfinite().all() for p in [*made.parameters(), layer.weight])


def test_an_empty_patch_divides_by_nothing() -> None:
    layer, made = nn.Conv2d(3, 4, 3, padding=1), gate(4, 1)
    source = torch.zeros(1, 3, 4, 4, requires_grad=True)
    y = made(layer(source), source, layer)
    y.sum().backward()
    assert y.isfinite().all()
    assert source.grad.isfinite().all()
    assert (lengths(source, layer) > 0).all()
    tokens, linear = torch.zeros(1, 2, 3, requires_grad=True), nn.Linear(3, 4)
    gate(4, -1)(linear(tokens), tokens, linear).sum().backward()
    assert tokens.grad.isfinite().all()


def test_it_is_registered_but_is_no_drop_in() -> None:
    made = IIEU(4)
    assert activation_spec(made).role == "filter"
    assert list(parameter_specs(made)) == ["weight", "bias", "bound"]
    assert [p.unique().tolist() for p in made.parameters()] == [pytest.approx([v]) for v in (0.01, 0.0, 0.05)]
    with pytest.raises(UnknownNameError, match="Unknown gate 'iieu'"):
        make_gate("iieu", 4)
    with pytest.raises(ShapeError, match="must hold 4 channels"):
        made(torch.zeros(2, 5), torch.zeros(2, 3), nn.Linear(3, 5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_and_autocast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer, made = nn.Conv2d(3, 4, 3), gate(4, 1)
    source = torch.randn(2, 3, 6, 6).to(dtype)
    with torch.autocast("cpu", dtype):
        x = layer(source)
        y = made(x, source, layer)
    assert x.dtype == y.dtype == dtype
    wide = copy.deepcopy(made)(x.float(), source.float(), layer)
    torch.testing.assert_close(y, wide.to(dtype), rtol=torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)

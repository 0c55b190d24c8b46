"""The rules of `zoo.analysis.propagation`: what one step does to the figures that are carried through a network."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.analysis.geometry import KINDS, LayerGeometry, describe_layer
from zoo.analysis.lipschitz import largest_output, lipschitz_constant
from zoo.analysis.spectral import convolution_norm, linear_norm
from zoo.analysis.variance_map import second_moment

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Carried:
    """Quantities known at one place of a network.

    Args:
        moment: the predicted second moment; None where nothing predicts it.
        radius: an upper bound of every |x|; inf where none is known.
        lipschitz: an upper bound of ‖change here‖ / ‖change of the image‖; None where none is known.
        chain: the SALU, SWALU and GALU directly in front, without weights between: their output is not Gaussian.
        source: the second moment in front of the chain, where it was taken as Gaussian.
    """

    moment: float | None
    radius: float
    lipschitz: float | None
    chain: tuple[LayerGeometry, ...] = ()
    source: float | None = None

    def times(self, factor: float, moment: float | None, radius: float) -> "Carried":
        """Behind a step with this Lipschitz constant."""
        # 0·inf has no value: nothing is amplified by a step that is constant.
        reach = 0.0 if factor == 0 else factor
        return Carried(moment, radius, None if self.lipschitz is None else self.lipschitz * reach)


UNKNOWN = Carried(None, math.inf, None)
# The largest slopes of torch's gates, rounded up, by their formulas: x·Φ(x) at √2, x·σ(x) at 2.3994.
_SLOPES: dict[type[nn.Module], float] = {nn.ReLU: 1.0, nn.GELU: 1.1290, nn.SiLU: 1.0999}


def sigma_w2(layer: nn.Conv2d | nn.Linear) -> float:
    """σ_w²: the fan-in times the mean square of the weights."""
    weight = layer.weight.detach().double()
    return float(weight.square().mean()) * weight[0].numel()


def through_module(path: str, module: nn.Module, value: Carried, before: Shape, behind: Shape) -> Carried:
    """Behind a module; `UNKNOWN` where it has no rule."""
    if isinstance(module, nn.Identity | nn.Dropout | nn.Flatten):
        return value
    if isinstance(module, KINDS):
        layer = describe_layer(path, module)
        source, chain = (value.source, (*value.chain, layer)) if value.chain else (value.moment, (layer,))
        moment = None if source is None else second_moment(chain, source)
        after = value.times(lipschitz_constant(layer, value.radius), moment, largest_output(layer, value.radius))
        return replace(after, chain=chain, source=source)
    if isinstance(module, nn.Conv2d | nn.Linear):
        return _through_weights(module, value, before)
    if isinstance(module, nn.BatchNorm2d):
        return _through_batchnorm(module, value)
    if isinstance(module, nn.MaxPool2d):
        return value.times(_overlap(module), None, value.radius)
    if isinstance(module, nn.AdaptiveAvgPool2d) and behind[2:] == (1, 1):
        return value.times(1 / math.sqrt(math.prod(before[2:])), None, value.radius)
    if type(module) in _SLOPES:
        moment = value.moment / 2 if isinstance(module, nn.ReLU) and value.moment is not None else None
        return value.times(_SLOPES[type(module)], moment, value.radius)
    return UNKNOWN


def through_function(target: Any, values: Sequence[Carried], before: Sequence[Shape], behind: Shape) -> Carried:
    """Behind an operation; `UNKNOWN` where it has no rule."""
    # A smaller summand would be repeated, and a change of it with it.
    if target in _SUMS and len(values) == 2 and all(shape == behind for shape in before):
        first, second = values
        moments, factors = (first.moment, second.moment), (first.lipschitz, second.lipschitz)
        moment = None if None in moments else first.moment + second.moment  # type: ignore[operator]
        factor = None if None in factors else first.lipschitz + second.lipschitz  # type: ignore[operator]
        return Carried(moment, first.radius + second.radius, factor)
    if target in _RESHAPES and len(values) == 1:
        return values[0]
    return UNKNOWN


_SUMS: tuple[Callable[..., Any], ...] = (operator.add, operator.iadd, torch.add, operator.sub, operator.isub)
_RESHAPES: tuple[Any, ...] = (torch.flatten, "flatten", "reshape", "view", "contiguous", "permute", "transpose")


def _through_weights(module: nn.Conv2d | nn.Linear, value: Carried, before: Shape) -> Carried:
    weight = module.weight.detach().double()
    bias = torch.zeros(1) if module.bias is None else module.bias.detach().double()
    share = _coverage(module, before) if isinstance(module, nn.Conv2d) else 1.0
    moment = None
    if value.moment is not None:
        moment = value.moment * sigma_w2(module) * share + float(bias.square().mean())
    radius = math.inf
    if value.radius < math.inf:
        radius = float((weight.abs().flatten(1).sum(1) * value.radius + bias.abs()).max())
    if value.lipschitz is None:
        return Carried(moment, radius, None)
    norm = convolution_norm(module, *before[-2:]) if isinstance(module, nn.Conv2d) else linear_norm(weight)
    return value.times(norm, moment, radius)


def _coverage(module: nn.Conv2d, before: Shape) -> float:
    """The share of the kernel's taps that meet the image rather than the zeros around it, averaged over positions."""
    size = module.kernel_size
    ones, taps = torch.ones(1, 1, *before[-2:]), torch.ones(1, 1, *size)
    padding: Any = module.padding
    hits: Tensor = F.conv2d(ones, taps, None, module.stride, padding, module.dilation)
    return float(hits.mean()) / math.prod(size)


def _through_batchnorm(module: nn.BatchNorm2d, value: Carried) -> Carried:
    """With running statistics it is y = scale·x + shift for each channel."""
    if module.running_mean is None or module.running_var is None:
        return UNKNOWN
    gain = torch.ones(1) if module.weight is None else module.weight.detach()
    scale = gain / torch.sqrt(module.running_var + module.eps)
    shift = (0 if module.bias is None else module.bias.detach()) - scale * module.running_mean
    radius = float((scale.abs() * value.radius + shift.abs()).max()) if value.radius < math.inf else math.inf
    return value.times(float(scale.abs().max()), None, radius)


def _overlap(module: nn.MaxPool2d) -> float:
    """An element is the largest of at most ceil(kernel/stride) windows along each side; a change counts in each."""
    kernel, stride = _pair(module.kernel_size), _pair(module.stride)
    return math.sqrt(math.prod(math.ceil(k / s) for k, s in zip(kernel, stride, strict=True)))


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)

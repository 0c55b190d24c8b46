"""Folding a BatchNorm into the convolution or linear layer before it.

In eval mode BatchNorm is y = γ·(x - mean)/sqrt(var + eps) + β for each channel, a scale and a shift that the layer's
weight and bias can take over. torch.nn.utils.fusion does the arithmetic; here stands when it may be done.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_weights

from zoo.conversion.origin import AFFINE
from zoo.conversion.probe import RecordedCall, Trace
from zoo.conversion.replaceable import norm_kind
from zoo.conversion.slots import Slot, find_slots
from zoo.errors import ConfigurationError


def affine_slots(model: nn.Module) -> dict[nn.Module, Slot]:
    """The first slot of every convolution and linear layer."""
    found: dict[nn.Module, Slot] = {}
    for slot in find_slots(model):
        if isinstance(slot.module, AFFINE):
            found.setdefault(slot.module, slot)
    return found


def folded_slot(norm: Slot, trace: Trace, layers: dict[nn.Module, Slot], model: nn.Module) -> tuple[Slot, nn.Module]:
    """The slot of the layer before a BatchNorm, and that layer with the BatchNorm in its weight and bias.

    Args:
        norm: the BatchNorm's slot.
        trace: of a pass that watched it and the slots in `layers`.
        layers: `affine_slots(model)`.
        model: the model.

    Raises:
        ConfigurationError: with the reason why it cannot be folded.
    """
    slot = _feeder(norm, trace.calls[norm], layers)
    path, layer, calls = slot.path, slot.module, trace.calls[slot]
    if len(calls) != 1:
        raise ConfigurationError(f"{path}, the layer before it, is called {len(calls)} times in a pass")
    own = {id(p) for p in layer.parameters(recurse=False)}
    if sum(id(p) in own for m in model.modules() for p in m._parameters.values()) > len(own):
        raise ConfigurationError(f"{path}, the layer before it, shares its weight with another layer")
    if "weight" not in layer._parameters or (isinstance(layer, _ConvTransposeNd) and layer.groups > 1):
        raise ConfigurationError(f"the weight of {path}, the layer before it, cannot take a factor for each channel")
    if isinstance(layer, nn.Linear) and len(trace.calls[norm][0].shape) > 2:
        raise ConfigurationError(f"{path}, the layer before it, has its channels on the last axis, the norm on axis 1")
    new = fold(layer, norm.module)
    _check(layer, norm.module, new, calls[0], path)
    return slot, new


def _feeder(norm: Slot, calls: Sequence[RecordedCall], layers: dict[nn.Module, Slot]) -> Slot:
    bn: Any = norm.module
    if norm_kind(bn) != "batchnorm":
        raise ConfigurationError("it measures every input anew, so nothing of it can be folded into a layer")
    if getattr(bn, "running_mean", None) is None:
        raise ConfigurationError("it keeps no running statistics that could be folded into a layer")
    if len(calls) != 1:
        raise ConfigurationError(f"the example pass calls it {len(calls)} times, and only once can be folded")
    origin = calls[0].origin
    if origin is None:
        raise ConfigurationError("no convolution or linear layer stands directly before it")
    if origin.module not in layers:
        raise ConfigurationError("the layer before it stands in several places")
    if origin.uses != 1:
        raise ConfigurationError(f"it is not alone in using the output of {layers[origin.module].path}")
    return layers[origin.module]


@torch.no_grad()
def fold(layer: nn.Module, norm: nn.Module) -> nn.Module:
    """A copy of a layer that computes, with a bias, what the layer and the BatchNorm behind it do in eval mode."""
    new: Any = copy.deepcopy(layer)
    bn: Any = norm
    new.weight, new.bias = fuse_conv_bn_weights(
        new.weight,
        new.bias,
        bn.running_mean,
        bn.running_var,
        bn.eps,
        bn.weight,
        bn.bias,
        isinstance(layer, _ConvTransposeNd),
    )
    new.bias.requires_grad_(new.weight.requires_grad)  # without a bias before, fusion gives one that does not learn
    return new  # type: ignore[no-any-return]


@torch.no_grad()
def _check(layer: nn.Module, norm: nn.Module, new: nn.Module, call: RecordedCall, path: str) -> None:
    """Refuse a layer that does something of its own with its weight: the folded one must compute the same."""
    if call.device.type == "meta":
        return
    x = torch.randn((1, *call.shape[1:]), generator=torch.Generator().manual_seed(0)).to(call.device, call.dtype)
    bn: Any = norm
    wanted = F.batch_norm(layer(x), bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0.0, bn.eps)
    apart = float((new(x) - wanted).abs().max())
    if not apart <= torch.finfo(call.dtype).eps ** 0.5 * float(wanted.abs().max()):
        raise ConfigurationError(
            f"folded into {path} ({type(layer).__name__}) it computes something else, {apart:.3g} apart: that layer "
            "does more with its weight than a convolution"
        )

"""Parameters and multiply-adds on the meta device: no memory, no arithmetic.

Multiply-adds are counted by torch's FlopCounterMode in the convention that reproduces the FLOPs of the FleS slides:
convolutions and linear layers, and two operations for each element that enters a normalisation layer. The products
inside attention, q·kᵀ and its product with v, are left out, as counters do that go by layers: with them Swin-T has 4.5,
Swin-B 15.4 and ViT-B/16 17.6, where the slides print 4.4, 15.1 and 16.9.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

aten = torch.ops.aten
ATTENTION = aten.bmm
NORMS = (aten.native_layer_norm, aten.native_group_norm, aten.native_batch_norm)


def _of_norm(x_shape: tuple[int, ...], *_: Any, **__: Any) -> int:
    return 2 * 2 * math.prod(x_shape)  # the counter's unit is half a multiply-add


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_adds(model: nn.Module, size: int) -> int:
    """Of one image of `size` pixels a side, for a model on the meta device."""
    mapping = dict.fromkeys(NORMS, _of_norm)
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter, torch.no_grad():
        model.eval()(torch.empty(1, 3, size, size, device="meta"))
    found = counter.get_flop_counts()["Global"]
    return sum(flops for operator, flops in found.items() if operator is not ATTENTION) // 2

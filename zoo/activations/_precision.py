"""Keeping small networks inside an activation out of autocast."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Switch autocast off on the device of x, where it is on: a coefficient must not be rounded to 16 bits."""
    kind = x.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):  # torch.compile of 2.9 cannot ask what has autocast
        return torch.autocast(kind, enabled=False)
    return nullcontext()

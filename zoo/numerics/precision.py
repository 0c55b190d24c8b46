"""In which precision formulas are computed."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def wide_dtype(x: Tensor) -> torch.dtype:
    """The dtype the formulas compute in: float32, or float64 where `x` is float64."""
    return torch.promote_types(x.dtype, torch.float32)


def floating(x: Tensor) -> Tensor:
    """x itself.

    Raises:
        TypeError: x is not floating point.
    """
    if not x.is_floating_point():
        raise TypeError(f"The input is {x.dtype}; a floating-point tensor is needed. Convert it with x.float().")
    return x


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Switch autocast off on the device of x, where it is on: a coefficient must not be rounded to 16 bits."""
    kind = x.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):  # torch.compile of 2.9 cannot ask what has autocast
        return torch.autocast(kind, enabled=False)
    return nullcontext()

"""Helpers for every launch of a Triton kernel."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from zoo.errors import ConfigurationError

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""What the kernels read and write; they compute in float32."""

OPTIONS = {"enable_fp_fusion": True}
"""Said at every launch, as its default is not the same in all versions of Triton: a product and a sum round once."""


def on_device(x: Tensor) -> AbstractContextManager[object]:
    """Make the device of x the current one: Triton launches there."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()


def require_dtype(name: str, x: Tensor) -> None:
    """Refuse what the kernels do not compute in.

    Raises:
        ConfigurationError: the dtype of x is not in `DTYPES`.
    """
    if x.dtype not in DTYPES:
        raise ConfigurationError(
            f'{name}: the fused kernel takes float32, float16 and bfloat16, and x is {x.dtype}. Use kernel="plain".'
        )

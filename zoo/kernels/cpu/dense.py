"""Tensors as the kernels take them: without gaps in memory, and in one order of it."""

import torch
from torch import Tensor

from zoo.errors import ConfigurationError
from zoo.kernels.cpu.compiled import DTYPES


def dense(x: Tensor) -> Tensor:
    """x itself where its elements lie in memory without gaps or overlaps, in whatever order of axes; else a copy.

    The strides of the copy, and of every result, are those of `torch.empty_like(x)`.
    """
    if x.is_contiguous():
        return x
    run = 1
    for stride, size in sorted((x.stride(i), x.shape[i]) for i in range(x.ndim) if x.shape[i] != 1):
        if stride != run:
            return torch.empty_like(x).copy_(x)
        run *= size
    return x


def arranged(value: Tensor, like: Tensor) -> Tensor:
    """`value` in the dtype, shape and memory order of `like`, which is dense; copied only where it differs."""
    same = value.dtype == like.dtype and value.shape == like.shape
    if same and all(value.stride(i) == like.stride(i) for i in range(like.ndim) if like.shape[i] != 1):
        return value
    return torch.empty_like(like).copy_(value)


def dtype_number(name: str, x: Tensor) -> int:
    """The library's number for the dtype of x.

    Raises:
        ConfigurationError: it has none.
    """
    if x.dtype not in DTYPES:
        raise ConfigurationError(
            f'{name}: the fused kernel takes float32, float16 and bfloat16, and x is {x.dtype}. Use kernel="plain".'
        )
    return DTYPES.index(x.dtype)

"""SALU, its gates and their composites on tensors that lie densely, in one pass each way."""

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.errors import ShapeError
from zoo.kernels.cpu.compiled import kernels, threads
from zoo.kernels.cpu.dense import arranged, dense, dtype_number
from zoo.numerics.operators import OPERATORS, SHORTCUT

NAMES = tuple(name for name, operator in OPERATORS.items() if operator.scalars)
"""In the order in which the library counts them."""


class _Call(NamedTuple):
    """Arguments of a library call: its numbers for operator and dtype, the tensors and the parameters' values."""

    operator: int
    dtype: int
    x: Tensor
    skip: Tensor | None
    values: ctypes.Array[ctypes.c_float]


def forward(name: str, inputs: Sequence[Tensor]) -> Tensor:
    """The operator `name`; the strides of the result are those of `torch.empty_like(x)`."""
    call = _call(name, inputs)
    y = torch.empty_like(call.x)
    kernels().salu_zoo_forward(
        *(call.operator, call.dtype, call.x.data_ptr(), _address(call.skip), y.data_ptr(), y.numel()),
        *(call.values, *threads(y.numel())),
    )
    return y


def backward(name: str, grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients of those inputs that need one, None for the others; `grad` is that of the result."""
    call = _call(name, inputs)
    grad = arranged(grad, call.x)
    results: list[Tensor | None] = [None] * len(inputs)
    for i in OPERATORS[name].of_shape:
        results[i] = torch.empty_like(call.x) if needs[i] else None
    scalars = OPERATORS[name].scalars
    wanted = [i for i in scalars if needs[i]]
    sums = (ctypes.c_double * len(scalars))()
    dskip = results[SHORTCUT] if OPERATORS[name].shortcut != "none" else None
    kernels().salu_zoo_backward(
        *(call.operator, call.dtype, grad.data_ptr(), call.x.data_ptr(), _address(call.skip)),
        *(_address(results[0]), _address(dskip), grad.numel(), call.values, sums if wanted else None),
        *threads(grad.numel()),
    )
    for i in wanted:
        value = torch.tensor(sums[scalars.index(i)], dtype=torch.float64)
        results[i] = value.to(inputs[i].dtype).reshape(inputs[i].shape)
    return results


def _call(name: str, inputs: Sequence[Tensor]) -> _Call:
    given = inputs[0]
    dtype, x = dtype_number(name, given), dense(given)
    skip = inputs[SHORTCUT] if OPERATORS[name].shortcut != "none" else None
    if skip is not None and (skip.shape != given.shape or skip.dtype != given.dtype):
        found, wanted = (f"{tuple(t.shape)} in {t.dtype}" for t in (skip, given))
        raise ShapeError(f'{name}: the shortcut is {found} and x is {wanted}. Use kernel="plain", or make them alike.')
    parameters = [inputs[i] for i in OPERATORS[name].scalars]
    for p in parameters:
        if p.numel() != 1:
            raise ShapeError(
                f"{name}: a coefficient has shape {tuple(p.shape)}; the fused kernel takes one number each. "
                'Use kernel="plain".'
            )
    numbers = [p.item() for p in parameters]
    values = (ctypes.c_float * len(numbers))(*numbers)
    return _Call(NAMES.index(name), dtype, x, None if skip is None else arranged(skip, x), values)


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()

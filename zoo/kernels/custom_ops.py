"""The fused operators, as custom operators of PyTorch named `salu_zoo::NAME`, and their gradients.

A call on CUDA launches Triton, one on the CPU compiled C++; with TRITON_INTERPRET=1 set, as in the tests, Triton's
interpreter runs Triton's kernels on CPU tensors. Only the inputs are kept for the backward pass. What
is not a matter of speed goes through the definition: `torch.vmap`, and the gradients of the gradients.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, library

from zoo.kernels import batching
from zoo.kernels.backend import backward, forward
from zoo.kernels.positive_mean import positive_mean
from zoo.kernels.second_derivatives import through
from zoo.numerics.operators import DEFINITIONS, OPERATORS
from zoo.numerics.precision import wide_dtype

Operator = Callable[..., Tensor]


def operator(name: str) -> Operator:
    """The fused operator of this name: a function of what its definition takes, see `mean_op` for "positive_mean".

    Raises:
        KeyError: there is none.
    """
    return _OPERATORS[name]


def plain_gradients(name: str, grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor]:
    """The gradients by those inputs that need one, from the definition's closed forms."""
    slopes = DEFINITIONS[name].gradients(*inputs)
    wide = grad.to(wide_dtype(inputs[0]))
    return [
        (wide * slope).sum_to_size(p.shape).to(p.dtype)
        for p, slope, need in zip(inputs, slopes, needs, strict=True)
        if need
    ]


def _define(name: str) -> Operator:
    """Register `salu_zoo::NAME`, which is differentiated through `salu_zoo::NAME_backward`."""
    tensors = ", ".join(f"Tensor {argument}" for argument in OPERATORS[name].arguments)

    def run(*inputs: Tensor) -> Tensor:
        return forward(name, inputs)

    def setup(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    gradients = _define_backward(name, tensors)

    def differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        needs = list(ctx.needs_input_grad)
        found = iter(gradients(grad, *ctx.saved_tensors, needs))
        return tuple(next(found) if need else None for need in needs)

    def batched(info: object, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Tensor, int]:
        return batching.values(name, in_dims, inputs), 0

    made = library.custom_op(f"salu_zoo::{name}", run, mutates_args=(), schema=f"({tensors}) -> Tensor")
    made.register_fake(lambda *inputs: torch.empty_like(inputs[0]))
    made.register_autograd(differentiate, setup_context=setup)
    made.register_vmap(batched)
    return made


def _define_backward(name: str, tensors: str) -> Callable[..., list[Tensor]]:
    """Register `salu_zoo::NAME_backward(grad, ..., needs)`: the gradients by those inputs that need one."""

    def run(grad: Tensor, *inputs: Any) -> list[Tensor]:
        *values, needs = inputs
        return [result for result in backward(name, grad, values, needs) if result is not None]

    # Their gradients lie as x does.
    of_shape = OPERATORS[name].of_shape

    def fake(grad: Tensor, *inputs: Any) -> list[Tensor]:
        *values, needs = inputs
        return [
            torch.empty_like(values[0], dtype=p.dtype) if i in of_shape else p.new_empty(p.shape)
            for i, (p, need) in enumerate(zip(values, needs, strict=True))
            if need
        ]

    def setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
        *tensors, ctx.needs = inputs
        ctx.save_for_backward(*tensors)

    def differentiate(ctx: Any, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        found = through(
            lambda grad, *inputs: plain_gradients(name, grad, inputs, ctx.needs),
            ctx.saved_tensors,
            ctx.needs_input_grad,
            grads,
        )
        return *found, None

    def batched(info: object, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[list[Tensor], list[int]]:
        *tensors, needs = inputs
        results = batching.gradients(name, in_dims[:-1], tensors, needs)
        return results, [0] * len(results)

    schema = f"(Tensor grad, {tensors}, bool[] needs) -> Tensor[]"
    made = library.custom_op(f"salu_zoo::{name}_backward", run, mutates_args=(), schema=schema)
    made.register_fake(fake)
    made.register_autograd(differentiate, setup_context=setup)
    made.register_vmap(batched)
    return made


_OPERATORS: dict[str, Operator] = {**{name: _define(name) for name in OPERATORS}, "positive_mean": positive_mean}

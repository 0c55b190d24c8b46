"""One way to make a formula memory-lean: keep the input, recompute the rest.

Eager autograd would keep every intermediate tensor of a pointwise formula. `lean` keeps only the formula's
arguments and calls the closed-form gradients in the backward pass. Those gradients are plain tensor code, so
higher derivatives, `torch.func` (`grad`, `vmap`, `jvp`) work through them.

Under `torch.compile`, `torch.export` and `torch.jit.trace` the plain formula is traced instead: the compiler fuses
it and decides itself what to recompute, and an exporter sees standard operators only. Gradients agree for every finite
input; at ±inf the traced formula's own derivative meets 0·inf, where the closed forms of SALU's family, used in eager
mode, stay finite.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from zoo.activations.dispatch import Kernel, fused, recorded
from zoo.numerics.operators import DEFINITIONS, Definition
from zoo.numerics.precision import floating, wide_dtype

Formula = Callable[..., Tensor]
Gradients = Callable[..., tuple[Tensor, ...]]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def overridable(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let `__torch_function__` take the call over; `torch.fx` then records it as one node of the graph.

    torch.jit.script compiles the function itself.
    """

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        relevant = (*args, *kwargs.values())
        if not torch.compiler.is_compiling() and has_torch_function(relevant):
            return handle_torch_function(call, relevant, *args, **kwargs)  # type: ignore[no-any-return]
        return function(*args, **kwargs)

    call.__prepare_scriptable__ = lambda: function  # type: ignore[attr-defined]
    return call


def _tensors(x: Tensor, *coefficients: Tensor | float) -> tuple[Tensor, ...]:
    """Numbers among the coefficients as tensors beside x, in the precision of the computation.

    Raises:
        TypeError: x is not floating point.
    """
    kind = wide_dtype(floating(x))
    tensors = (c if isinstance(c, Tensor) else torch.tensor(c, dtype=kind, device=x.device) for c in coefficients)
    return x, *(c if c.ndim <= x.ndim else beside(x, c) for c in tensors)


def beside(x: Tensor, coefficient: Tensor) -> Tensor:
    """One learned number as it broadcasts with x, so that the result has the shape of x, also where x has no axis."""
    return coefficient.view(()) if coefficient.numel() == 1 else coefficient


def lean(formula: Formula, gradients: Gradients, traced: Formula | None = None, *, name: str = "") -> Formula:
    """Return `formula(x, *coefficients)` with a backward pass that stores nothing but its arguments.

    The function returned takes `kernel` as a keyword: "plain" keeps it from using a fused kernel (see `fused`).

    Args:
        formula: the value, as plain tensor code.
        gradients: the derivative by x and by each coefficient at each element, each of the broadcast shape of the
            output.
        traced: the same value in the form that a compiler or an exporter should see, differentiable on its own; None
            takes `formula`.
        name: under which `zoo.kernels` may have a fused kernel of it; "" for none.
    """
    plain, keeping = traced or formula, _input_keeping(formula, gradients)
    if name:
        DEFINITIONS[name] = Definition(formula, gradients)

    def call(x: Tensor, *coefficients: Tensor | float, kernel: Kernel | None = None) -> Tensor:
        inputs = _tensors(x, *coefficients)
        definition = plain if recorded() else keeping
        quick = fused(name, inputs, kernel) if name else None
        return definition(*inputs) if quick is None else quick(*inputs)

    return call


def _input_keeping(formula: Formula, gradients: Gradients) -> Formula:
    """The formula as a function of autograd that keeps its arguments and nothing else."""

    class Lean(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*inputs: Tensor) -> Tensor:  # type: ignore[override]
            return formula(*inputs)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
            inputs = ctx.saved_tensors
            wide = grad.to(wide_dtype(inputs[0]))
            slopes = gradients(*inputs)
            return tuple(
                (wide * slope).sum_to_size(p.shape).to(p.dtype) if needed else None
                for p, slope, needed in zip(inputs, slopes, ctx.needs_input_grad, strict=True)
            )

        @staticmethod
        def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
            x = ctx.saved_tensors[0]
            slopes = gradients(*ctx.saved_tensors)
            terms = [slope * v for slope, v in zip(slopes, tangents, strict=True) if v is not None]
            return functools.reduce(torch.add, terms).to(x.dtype)

    return Lean.apply  # type: ignore[no-any-return]

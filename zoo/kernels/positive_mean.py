"""The mean over elements >= 0 as an operator, `salu_zoo::positive_mean`: FleS's statistics in one pass over x.

Beside the mean it returns how many elements were >= 0, which is all that the backward pass needs apart from x.
"""

from typing import Any

import torch
from torch import Tensor, library

from zoo.kernels.backend import load_triton, on_triton
from zoo.kernels.second_derivatives import through
from zoo.numerics.axes import along_positions, split_axes


def positive_mean(x: Tensor, channel_axis: int, mask: Tensor | None = None) -> Tensor:
    """Mean of x over its elements >= 0, for each sample and channel; 0 where a channel has none.

    Args:
        x: (n, ..., c, ...), float32, float16 or bfloat16; summed in float32.
        channel_axis: where the channels are: 1 for maps, -1 for tokens.
        mask: (n, *positions), nonzero where a position counts; None counts all.

    Returns:
        (n, c) in float32. NaN where an element that counts is NaN.

    Raises:
        ConfigurationError: x is on a device without kernels, or of another dtype.
        NativeError: the kernels for the CPU cannot be compiled.
        ShapeError: x or the mask has another shape.

    Source: as `zoo.activations`' own, of which it is the fused twin.
    """
    axis, _ = split_axes(x, channel_axis, x.shape[channel_axis] if -x.ndim <= channel_axis < x.ndim else -1)
    keep = None if mask is None else along_positions(mask, x, axis)
    return _mean(x, axis, keep)[0]  # type: ignore[no-any-return]


def plain_gradient(grad: Tensor, x: Tensor, count: Tensor, channel_axis: int, keep: Tensor | None) -> Tensor:
    """The gradient of the mean by x as plain tensor code."""
    shape = [x.shape[i] if i in (0, channel_axis) else 1 for i in range(x.ndim)]
    share = (grad / count.clamp_min(1)).view(shape)
    counts = ~(x <= 0) if keep is None else ~(x <= 0) & keep
    return torch.where(counts, share, 0.0).to(x.dtype)


def _run(x: Tensor, channel_axis: int, keep: Tensor | None) -> tuple[Tensor, Tensor]:
    if on_triton(x):
        return load_triton("mean").forward(x, channel_axis, keep)  # type: ignore[no-any-return]
    from zoo.kernels import cpu

    return cpu.mean(x, channel_axis, keep)


def _run_backward(grad: Tensor, x: Tensor, count: Tensor, channel_axis: int, keep: Tensor | None) -> Tensor:
    if on_triton(x):
        return load_triton("mean").backward(grad, x, count, channel_axis, keep)  # type: ignore[no-any-return]
    from zoo.kernels import cpu

    return cpu.mean_backward(grad, x, count, channel_axis, keep)


def _fake(x: Tensor, channel_axis: int, keep: Tensor | None) -> tuple[Tensor, Tensor]:
    shape = x.shape[0], x.shape[channel_axis]
    return x.new_empty(shape, dtype=torch.float32), x.new_empty(shape, dtype=torch.float32)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, ctx.channel_axis, keep = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(x, output[1], keep)


def _differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    x, count, keep = ctx.saved_tensors
    return _mean_backward(grad, x, count, ctx.channel_axis, keep), None, None


def _setup_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    grad, x, count, ctx.channel_axis, keep = inputs
    ctx.save_for_backward(grad, x, count, keep)


def _differentiate_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    """It is linear in the gradient of the mean, and the set of positive elements does not move with x."""
    share, x, count, keep = ctx.saved_tensors
    needs = ctx.needs_input_grad[0], False, False
    found = through(lambda g, x, n: [plain_gradient(g, x, n, ctx.channel_axis, keep)], (share, x, count), needs, [grad])
    return *found, None, None


def _batched(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    """Statistics of a batch of batches are those of one larger batch."""
    x, axis, keep = inputs
    mean, count = _mean(_merged(x, in_dims[0], info.batch_size), axis, _merged(keep, in_dims[2], info.batch_size))
    return (mean.unflatten(0, (info.batch_size, -1)), count.unflatten(0, (info.batch_size, -1))), (0, 0)


def _batched_backward(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
    grad, x, count, axis, keep = (
        value if i == 3 else _merged(value, in_dims[i], info.batch_size) for i, value in enumerate(inputs)
    )
    return _mean_backward(grad, x, count, axis, keep).unflatten(0, (info.batch_size, -1)), 0


def _merged(value: Tensor | None, dim: int | None, size: int) -> Tensor | None:
    """The batch of vmap and that of the samples as one axis."""
    if value is None:
        return None
    front = value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
    return front.flatten(0, 1)


_ARGUMENTS = "Tensor x, int channel_axis, Tensor? keep"
_mean = library.custom_op(
    "salu_zoo::positive_mean", _run, mutates_args=(), schema=f"({_ARGUMENTS}) -> (Tensor, Tensor)"
)
_mean.register_fake(_fake)
_mean.register_autograd(_differentiate, setup_context=_setup)
_mean.register_vmap(_batched)
_mean_backward = library.custom_op(
    "salu_zoo::positive_mean_backward",
    _run_backward,
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor count, int channel_axis, Tensor? keep) -> Tensor",
)
_mean_backward.register_fake(lambda grad, x, count, channel_axis, keep: torch.empty_like(x))
_mean_backward.register_autograd(_differentiate_backward, setup_context=_setup_backward)
_mean_backward.register_vmap(_batched_backward)

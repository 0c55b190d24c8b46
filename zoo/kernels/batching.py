"""Rule of `torch.vmap` for fused operators: the definition broadcasts, so the batch becomes its first axis.

A vmap within the rule of a vmap would say the same; torch does not allow it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.numerics.operators import DEFINITIONS
from zoo.numerics.precision import wide_dtype


def values(name: str, in_dims: Sequence[int | None], inputs: Sequence[Tensor]) -> Tensor:
    """Compute the operator with the batch first."""
    aligned, _ = _aligned(in_dims, inputs)
    return DEFINITIONS[name].value(*aligned)


def gradients(
    name: str, in_dims: Sequence[int | None], tensors: Sequence[Tensor], needs: Sequence[bool]
) -> list[Tensor]:
    """Its gradients by the inputs that need one, with the batch first; `tensors` are the upstream and the inputs."""
    (grad, *inputs), size = _aligned(in_dims, tensors)
    wide = grad.to(wide_dtype(inputs[0]))
    found = []
    for p, dim, slope, need in zip(tensors[1:], in_dims[1:], DEFINITIONS[name].gradients(*inputs), needs, strict=True):
        if need:
            shape = p.shape if dim is None else torch.Size([*p.shape[:dim], *p.shape[dim + 1 :]])
            product = (wide * slope).expand(size, *_rest(inputs))
            one = [size, *[1] * (product.ndim - 1 - len(shape)), *shape]
            found.append(product.sum_to_size(one).to(p.dtype).view(size, *shape))
    return found


def _rest(inputs: Sequence[Tensor]) -> Sequence[int]:
    """The shape of one sample of the result, which is that of x."""
    return inputs[0].shape[1:]


def _aligned(in_dims: Sequence[int | None], tensors: Sequence[Tensor]) -> tuple[list[Tensor], int]:
    """Every tensor with the batch, or 1 in its place, as first axis, its own axes last; and the size of the batch."""
    ranks = [t.ndim - (dim is not None) for t, dim in zip(tensors, in_dims, strict=True)]
    aligned, size = [], 1
    for t, dim, rank in zip(tensors, in_dims, ranks, strict=True):
        front = t.unsqueeze(0) if dim is None else t.movedim(dim, 0)
        size = max(size, front.shape[0])
        aligned.append(front.reshape(front.shape[0], *[1] * (max(ranks) - rank), *front.shape[1:]))
    return aligned, size

"""Gradients of gradients, through the definition."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def through(
    function: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor],
    needs: Sequence[bool],
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of `function(*inputs)` by the inputs that need one, None for the others.

    Args:
        function: differentiable tensor code.
        inputs: at which it is differentiated.
        needs: for each input, whether its gradient is wanted.
        grads: of each result of the function; None where there is none.

    Returns:
        A gradient for each input, itself differentiable where that is asked of autograd.
    """
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views, so that a path from one input to another outside this function is not followed.
        leaves = [t.view_as(t) for t in inputs]
        results = function(*leaves)
        pairs = [(r, g) for r, g in zip(results, grads, strict=True) if g is not None and r.requires_grad]
    wanted = [leaf for leaf, need in zip(leaves, needs, strict=False) if need]
    if not pairs or not wanted:
        return [None] * len(inputs)
    outputs, seeds = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outputs, wanted, seeds, allow_unused=True, create_graph=create_graph))
    return [next(found) if need else None for need in needs[: len(inputs)]]

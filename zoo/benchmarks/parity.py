"""No speed is shown for a kernel that computes something else than the definition."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.activations.dispatch import kernel
from zoo.errors import KernelMismatchError

FACTOR = 3.0
"""How much farther from float64 than the definition's own result a kernel's may be: sums are taken in another order."""
ROUNDINGS = 8.0
"""What is allowed besides, in roundings of the largest value: the definition may happen to be exact."""


def check_kernel(name: str, module: nn.Module, tensors: Sequence[Tensor]) -> None:
    """Compare the fused kernel with the definition, both measured by the definition in float64.

    Args:
        name: of the operator, for the message.
        module: the operator.
        tensors: its inputs, small ones.

    Raises:
        KernelMismatchError: the output or a gradient is farther from float64 than rounding explains.
    """
    exact = _results(module.double(), [tensor.double() for tensor in tensors], "plain")
    module.float()
    plain, fused = _results(module, tensors, "plain"), _results(module, tensors, "fused")
    names = ["output", *(f"gradient of input {i}" for i in range(len(tensors)))]
    names += [f"gradient of {own}" for own, _ in module.named_parameters()]
    for what, true, usual, found in zip(names, exact, plain, fused, strict=True):
        allowed = FACTOR * _error(usual, true) + ROUNDINGS * torch.finfo(found.dtype).eps * _size(true)
        if not _error(found, true) <= allowed:  # NaN is no match either
            raise KernelMismatchError(
                f"{name}: the fused kernel's {what} is {_error(found, true):.3g} from float64, the definition's "
                f"{_error(usual, true):.3g}, allowed {allowed:.3g}. Its speed means nothing; mend the kernel first, or "
                "train with zoo.activations.kernel('plain')."
            )


def _results(module: nn.Module, tensors: Sequence[Tensor], which: Literal["plain", "fused"]) -> list[Tensor]:
    """The output and the gradient of everything, for a gradient of the output that does not cancel in sums."""
    inputs = [tensor.detach().requires_grad_() for tensor in tensors]
    with kernel(which):
        y = module(*inputs)
    grad = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype, device=y.device).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad(y, [*inputs, *module.parameters()], grad)]


def _error(found: Tensor, true: Tensor) -> float:
    return float((found.double() - true).abs().max())


def _size(true: Tensor) -> float:
    return float(true.abs().max())

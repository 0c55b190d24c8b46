"""Amplification of a small change of real images by a whole network."""

import torch
from torch import Tensor, nn

from zoo.analysis._mode import evaluating

ITERATIONS = 6
STEP = 1e-3
"""Size of the change, relative to the image's own 2-norm."""


def network_gains(model: nn.Module, images: Tensor, iterations: int = ITERATIONS) -> list[float]:
    """‖f(x + e) - f(x)‖ / ‖e‖ for each image x, with a small e along which the output changes most.

    The direction comes from a power iteration: e ← Jᵀ·(f(x + e) - f(x)), rescaled. What is found grows with the number
    of iterations towards the largest singular value of the Jacobian J at x, and as a quotient of differences it never
    exceeds the network's Lipschitz constant.

    Args:
        model: each output must depend on its own image alone; left in the mode it was in, part by part.
        images: (n, channels, height, width).
        iterations: of the power iteration.
    """
    learned = [p for p in model.parameters() if p.requires_grad]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    size = STEP * _norms(images)
    step = _scaled(noise.to(images), size)
    with evaluating(model), torch.enable_grad():
        try:
            for parameter in learned:
                parameter.requires_grad_(False)
            for _ in range(iterations):
                start = images.detach().clone().requires_grad_(True)
                output = model(start)
                change = model(images + step).detach() - output.detach()
                (pull,) = torch.autograd.grad(output, start, change / _norms(change).clamp_min(_TINY))
                step = _scaled(pull, size)
            with torch.no_grad():
                change = model(images + step) - model(images)
        finally:
            for parameter in learned:
                parameter.requires_grad_(True)
    return [float(gain) for gain in (_norms(change) / size.flatten(1)).flatten()]


_TINY = torch.finfo(torch.float32).tiny


def _norms(x: Tensor) -> Tensor:
    """2-norm of each entry of a batch, of a shape that broadcasts with it."""
    norms: Tensor = x.flatten(1).norm(dim=1).clamp_min(_TINY)
    return norms.view(-1, *[1] * (x.ndim - 1))


def _scaled(direction: Tensor, size: Tensor) -> Tensor:
    return direction * (size / _norms(direction))

"""Upper bounds of the spectral norm of linear layers and convolutions."""

import math

import torch
from torch import Tensor, nn

from zoo.errors import ConfigurationError

_MARGIN = 1e-4
"""Relative; far above the rounding of the float32 decompositions."""
_AT_ONCE = 2**24


def linear_norm(weight: Tensor) -> float:
    """The spectral norm of a matrix (outputs, inputs), in float64."""
    return float(torch.linalg.matrix_norm(weight.detach().double().cpu(), 2))


@torch.no_grad()
def convolution_norm(layer: nn.Conv2d, height: int, width: int) -> float:
    """An upper bound of ‖y - b‖₂/‖x‖₂ for a convolution of an image (height, width), padded with zeros [ours].

    With stride 1 the convolution is a part of one that wraps around on a grid larger by the padding, so its norm is at
    most that one's: the largest singular value of the kernel's Fourier transform over the frequencies of the grid
    (as for circular convolutions, arXiv 1805.10408). A stride drops outputs, which cannot enlarge the norm.

    Args:
        layer: zero padding; any stride, dilation and groups.
        height: of its input.
        width: of its input.

    Raises:
        ConfigurationError: it pads with something else than zeros.
    """
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise ConfigurationError(f"A bound is known for zero padding given in pixels, not for {layer}.")
    weight = layer.weight.detach().double().cpu()
    if weight.shape[2:] == (1, 1):
        return max(linear_norm(part.flatten(1)) for part in weight.chunk(layer.groups))
    spread = _dilated(weight, layer.dilation)
    size = (_grid(height, spread.shape[2], layer.padding[0]), _grid(width, spread.shape[3], layer.padding[1]))
    return max(_circular_norm(part, size) for part in spread.chunk(layer.groups)) * (1 + _MARGIN)


def _grid(length: int, kernel: int, padding: int) -> int:
    """Long enough that no tap that wraps around meets the image again."""
    return max(length + 2 * padding, length + kernel - 1)


def _circular_norm(weight: Tensor, size: tuple[int, int]) -> float:
    """The largest singular value over all frequencies; half of them, since the others are conjugates."""
    spectrum = torch.fft.rfft2(weight, s=size).to(torch.complex64).flatten(2).permute(2, 0, 1)
    if spectrum.shape[1] < spectrum.shape[2]:
        spectrum = spectrum.mH
    step = max(1, _AT_ONCE // (spectrum.shape[1] * spectrum.shape[2]))
    largest = max(float(torch.linalg.eigvalsh(part.mH @ part)[:, -1].max()) for part in spectrum.split(step))
    return math.sqrt(max(largest, 0.0))


def _dilated(weight: Tensor, dilation: tuple[int, ...]) -> Tensor:
    if tuple(dilation) == (1, 1):
        return weight
    rows, columns = dilation[0] * (weight.shape[2] - 1) + 1, dilation[1] * (weight.shape[3] - 1) + 1
    wide = weight.new_zeros(*weight.shape[:2], rows, columns)
    wide[:, :, :: dilation[0], :: dilation[1]] = weight
    return wide

"""Random weights as training leaves them, for networks that nobody has trained yet."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from zoo.activations.fles import FleS
from zoo.activations.learned_pair import LearnedPair

# Of log a and log b, from site to site.
PAIR_SPREAD = 0.3
# Of FleS's vectors and matrices.
VECTOR_SPREAD, MATRIX_SPREAD = 0.1, 0.02
# Of what BatchNorm scales by and has seen; the last one of a residual branch starts at 0.
NORM_SPREAD = 0.3


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Networks that are created here get the same weights each time; the caller's random numbers stay what they are."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def stir(model: nn.Module, seed: int = 0) -> nn.Module:
    """Move parameters off their starts, in place.

    At the start a equals b in many sites, which is a special case; a fresh FleS hardly follows its statistics;
    and a BatchNorm of scale 0 closes a residual branch. A file proven or timed with those would say little about a
    trained one.

    Args:
        model: a network with random weights.
        seed: the same seed moves them alike.

    Returns:
        The model.
    """
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                _stir_norm(module, draw)
            if not isinstance(module, LearnedPair | FleS):
                continue
            for parameter in module.parameters(recurse=False):
                noise = torch.randn(parameter.shape, generator=draw).to(parameter)
                if isinstance(module, LearnedPair):
                    parameter.mul_(torch.exp(PAIR_SPREAD * noise))
                else:
                    parameter.add_((VECTOR_SPREAD if parameter.ndim == 1 else MATRIX_SPREAD) * noise)
    return model


def _stir_norm(norm: nn.modules.batchnorm._BatchNorm, draw: torch.Generator) -> None:
    for value, change in ((norm.weight, torch.abs), (norm.running_mean, torch.clone)):
        if value is not None:
            value.add_(NORM_SPREAD * change(torch.randn(value.shape, generator=draw)).to(value))
    if norm.running_var is not None:
        norm.running_var.mul_(torch.exp(NORM_SPREAD * torch.randn(norm.running_var.shape, generator=draw)))

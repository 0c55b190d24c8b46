"""Randomness as a function of where one is, not of what was drawn before.

Every draw of a run (order, crops, mixing, dropout) comes from a generator seeded by (seed, purpose, epoch, step, ...).
A resumed run therefore needs no saved generator state, and workers cannot change the result.
"""

import random
from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """Purpose of a seed; keeps streams of the same epoch and step apart."""

    INITIALISE = 0
    ORDER = 1
    AUGMENT = 2
    STEP = 3
    SAMPLE = 4


def derive(seed: int, purpose: Purpose, *place: int) -> int:
    """Return a 63-bit seed for `purpose` at `place` (epoch, step, rank, ...)."""
    state = np.random.SeedSequence([seed, int(purpose), *place]).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def seed_everything(value: int) -> None:
    """Seed the global generators of torch, numpy and Python, which timm, torchvision and dropout draw from."""
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)


def generator(value: int) -> torch.Generator:
    """Return a CPU generator seeded by `value`."""
    return torch.Generator().manual_seed(value)

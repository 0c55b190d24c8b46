"""What the papers compare with: point-wise replacements of normalisation layers, each from its own paper."""

from zoo.activations.rivals.derf import Derf, derf
from zoo.activations.rivals.dyt import DyT, dyt

__all__ = ["Derf", "DyT", "derf", "dyt"]

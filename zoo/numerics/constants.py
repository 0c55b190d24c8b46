"""Constants of the formulas, read there as `constants.FLOOR`: torch.jit.script takes a number only from a module."""

import math

import torch

FLOOR = 1e-6
"""The smallest effective a and b [ours]: s stays within float32's range, and far below any value a network learns."""

LIMIT = 2.0**30
"""Where the unit's argument u is clamped: 1 + u² = u² there in float32 and in float64, and u² is far from overflow."""

LOWEST = torch.finfo(torch.float32).min
"""Stands for -inf in a gate whose lower limit is finite, also in float64: the gate is saturated long before."""

SCALE = math.sqrt(2 / math.pi)
"""ψ(x) = SCALE·(x + CUBIC·x³) is the argument of tanh in GELU's tanh form."""

CUBIC = 0.044715

BOUND = 2.0**20
"""Where ψ's argument is clamped [ours]: ψ(2²⁰) is 4.1e16, so that s·ψ is beyond LIMIT even for the smallest s = FLOOR.

The gate is the same there as at ±inf, and the cube of 2²⁰ is far from overflow.
"""

SHIFT_EPS = 1e-6
"""Of the LayerNorm that makes AdaShift's shift in FleS, as in its released code."""

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny
"""2⁻¹²⁶."""

LEAST_STEEPNESS = 2.0**-64
"""|κ_ho| below this counts as this [ours], where the sigmoid is 1/2 to the last bit of float32 for |x| < 2³⁹."""

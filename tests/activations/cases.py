"""The rows every test of the activations runs over."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.activations import ACTIVATIONS

CHANNELS = 4
FAMILY = ["salu", "swalu", "galu"]
ALL = ACTIVATIONS.names()

# (a, b): the initial values, the quasi-linear start, S above and below 1, and the smallest and largest of both.
PAIRS = [(1.0, 1.0), (0.5, 0.5), (1.0, 0.01), (3.0, 0.2), (0.1, 2.0), (1e-6, 1e-6), (1e-6, 1e4), (1e4, 1e-6)]

SHAPES = [(), (0,), (5,), (2, 3, CHANNELS), (1, CHANNELS, 3, 3)]


def functional(name: str) -> Callable[..., Tensor]:
    return ACTIVATIONS.get(name).functional


def make(name: str, channel_axis: int = -1, **kwargs: object) -> nn.Module:
    """A module with CHANNELS channels whose parameters differ from each other and from their initial values."""
    spec = ACTIVATIONS.get(name)
    if spec.role == "norm":
        kwargs["channel_axis"] = channel_axis
    module = spec.module(CHANNELS, **kwargs)
    with torch.no_grad():
        for step, parameter in enumerate(module.parameters(), 1):
            parameter.add_(
                0.05 * step * torch.linspace(1, 2, parameter.numel(), dtype=parameter.dtype).view_as(parameter)
            )
    return module


def inner(name: str, x: Tensor) -> Tensor:
    """What enters the SALU inside the operator: x, or GALU's cubic."""
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3) if name == "galu" else x


def exact(name: str, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The definition in float64, for finite x of a narrower dtype; a·b·z² is kept from overflow by its root."""
    x, a, b = x.double(), a.double(), b.double()
    z = inner(name, x)
    y = a * z / torch.hypot(torch.ones_like(z), (a * b).sqrt() * z)
    return y if name == "salu" else x / 2 * (1 + y)


def slopes(name: str, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives with respect to x, a and b in float64, each as its definition gives it."""
    x, a, b = x.double(), a.double(), b.double()
    z = inner(name, x)
    root = torch.hypot(torch.ones_like(z), (a * b).sqrt() * z)
    dz, ratio = a / root**3, z / root
    da, db = ratio * (1 + 1 / root**2) / 2, -(a**2) / 2 * ratio**3
    if name == "salu":
        return dz, da, db
    inner_slope = math.sqrt(2 / math.pi) * (1 + 0.134145 * x**2) if name == "galu" else torch.ones_like(x)
    return (1 + a * ratio + (x / root) * (inner_slope / root) * (a / root)) / 2, x / 2 * da, x / 2 * db


def all_values(dtype: torch.dtype) -> Tensor:
    """Every finite value of a 16-bit dtype."""
    patterns = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    return patterns[patterns.isfinite()]


def float32_values() -> Tensor:
    """Random bit patterns, so all exponents alike, with the extremes and the subnormals added; all finite."""
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(-(2**31), 2**31 - 1, (2**16,), generator=generator).to(torch.int32)
    limits = torch.finfo(torch.float32)
    edges = torch.tensor([0.0, limits.max, limits.tiny, limits.smallest_normal / 2**20, 1e-45, 1.0, 2.0**20, 2.0**30])
    values = torch.cat([bits.view(torch.float32), edges, -edges])
    return values[values.isfinite()]

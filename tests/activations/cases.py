"""The rows every test of the activations runs over."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.activations import ACTIVATIONS
from zoo.activations.rivals.torch_gates import TORCH_GATES

CHANNELS = 4
FAMILY = ["salu", "swalu", "galu"]
NORMS = ["derf", "dyt"]
REGISTERED = ACTIVATIONS.names()
# IIEU is called with its layer; it has tests of its own.
ALL = [name for name in REGISTERED if name != "iieu"]
FLES = [name for name in ALL if name.startswith("fles")]
# What is not ours and takes other arguments than ours: torch's, and timm's squeeze and excitation.
FOREIGN = [*TORCH_GATES, "se"]
OURS = [name for name in ALL if name not in FOREIGN]
# Those whose functional takes x and the parameters, so that a module is one call of it.
DIRECT = [*FAMILY, *NORMS, "acon_c", "adashift", "prelu", "pserf", "pwlu", "smu", "smu_1", "star_relu"]

# (a, b): the initial values, the quasi-linear start, S above and below 1, and the smallest and largest of both.
PAIRS = [(1.0, 1.0), (0.5, 0.5), (1.0, 0.01), (3.0, 0.2), (0.1, 2.0), (1e-6, 1e-6), (1e-6, 1e4), (1e4, 1e-6)]

SHAPES = [(), (0,), (5,), (2, 3, CHANNELS), (1, CHANNELS, 3, 3)]


def functional(name: str) -> Callable[..., Tensor]:
    return ACTIVATIONS.get(name).functional


def build(name: str, channel_axis: int = -1, **kwargs: object) -> nn.Module:
    """A module with CHANNELS channels as it starts, in evaluation mode, equal for every call; maps have axis 1."""
    spec = ACTIVATIONS.get(name)
    torch.manual_seed(0)
    args: list[object] = []
    if spec.channelwise:
        args = [CHANNELS, 1 if spec.maps_only else channel_axis]
    elif name in (*FAMILY, "se"):
        args = [CHANNELS]
    return spec.module(*args, **spec.arguments, **kwargs).eval()


def make(name: str, channel_axis: int = -1, **kwargs: object) -> nn.Module:
    """As `build`, with parameters and statistics that differ from each other and from their initial values."""
    module = build(name, channel_axis, **kwargs)
    with torch.no_grad():
        for step, tensor in enumerate([*module.parameters(), *module.buffers()], 1):
            if tensor.is_floating_point():
                ramp = torch.linspace(1, 2, tensor.numel(), dtype=tensor.dtype)
                tensor.add_(0.05 * step * ramp.view_as(tensor))
    return module


def example(name: str, n: int = 3, **kwargs: object) -> Tensor:
    """An input of n samples for `make(name)`: rows of channels, or maps where it needs them."""
    shape = (n, CHANNELS, 3, 2) if ACTIVATIONS.get(name).maps_only else (n, CHANNELS)
    return torch.randn(shape, generator=torch.Generator().manual_seed(n), **kwargs)


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

"""The kernels' operators, their definitions in float64, and inputs for them."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.activations.cases import PAIRS

NUMBERS = {"salu": 2, "swalu": 2, "galu": 2, "salu_swalu": 4, "salu_add_swalu": 4, "salu_add_salu_swalu": 6}
"""How many scalars each operator takes."""
NAMES = list(NUMBERS)
__all__ = ["PAIRS"]

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
VALUES = (1.3, 0.7, -0.6, 0.9, 1.1, 0.4)
SKIP = 3
FLOOR = 1e-6


def quick(rows: Sequence[object], *first: object) -> list[object]:
    """Rows of a parametrised test: those in `first` always, the others among the slow tests."""
    return [row if row in first else pytest.param(row, marks=pytest.mark.slow) for row in rows]


def takes_skip(name: str) -> bool:
    return "add" in name


def effective(p: Tensor) -> Tensor:
    """What stands in the formulas for a learned scalar: max(|p|, 1e-6), with the slope of |p| even below."""
    size = p * (1 if p >= 0 else -1)
    return size if size >= FLOOR else FLOOR + (size - size.detach())


def salu(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    a, b = effective(a), effective(b)
    return a * x / torch.hypot(torch.ones_like(x), (a * b).sqrt() * x)


def swalu(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return x / 2 * (1 + salu(x, a, b))


def galu(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return x / 2 * (1 + salu(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), a, b))


CHAINED = {
    "salu": salu,
    "swalu": swalu,
    "galu": galu,
    "salu_swalu": lambda x, a, b, c, d: swalu(salu(x, a, b), c, d),
    "salu_add_swalu": lambda x, a, b, skip, c, d: swalu(salu(x, a, b) + skip, c, d),
    "salu_add_salu_swalu": lambda x, a, b, skip, e, f, c, d: swalu(salu(x, a, b) + salu(skip, e, f), c, d),
    "fles": lambda x, v, h: v * torch.sigmoid(h * x) * x,
}
"""What each operator is, as plain code; differentiated in float64 it gives every gradient."""


def inputs(
    name: str,
    shape: Sequence[int],
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    values: Sequence[float] = VALUES,
    scalar_dtype: torch.dtype = torch.float32,
) -> list[Tensor]:
    """x, scalars of the modules' shape (1,) and shortcut of an operator, all of which take part in gradients."""
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(shape, generator=generator)
    one = (1,) if shape else ()
    scalars = [torch.full(one, v, dtype=scalar_dtype, device=device) for v in values[: NUMBERS[name]]]
    found = [x.to(device, dtype), *scalars]
    if takes_skip(name):
        found.insert(SKIP, torch.randn(shape, generator=generator).to(device, dtype))
    return [t.requires_grad_() for t in found]


def fles_inputs(
    shape: Sequence[int], coefficients: Sequence[int], dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> list[Tensor]:
    """x and the two coefficients, which stay in float32 as those of a FleS layer do."""
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(shape, generator=generator)
    v, h = (1 + torch.randn(coefficients, generator=generator) / 2 for _ in range(2))
    return [x.to(device, dtype).requires_grad_(), v.to(device).requires_grad_(), h.to(device).requires_grad_()]


def upstream(y: Tensor) -> Tensor:
    """A gradient of the result, in its layout."""
    values = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return torch.empty_like(y).copy_(values)


def arranged(x: Tensor, layout: str) -> Tensor:
    """The values of x, of four axes, in another place in memory."""
    with torch.no_grad():
        match layout:
            case "contiguous":
                return x.clone()
            case "channels-last":
                return x.to(memory_format=torch.channels_last)
            case "transposed":
                return x.transpose(1, 3).contiguous().transpose(1, 3)
            case "sliced":
                return torch.cat([x, x], 1)[:, : x.shape[1]]
            case "stepped":
                return x.repeat_interleave(2, 3)[..., ::2]
            case "expanded":
                return x[:1, :, :1].expand(x.shape)
            case "offset":
                return torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape)
    raise AssertionError(layout)


LAYOUTS = ["contiguous", "channels-last", "transposed", "sliced", "stepped", "expanded", "offset"]

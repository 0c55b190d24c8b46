"""SALU and its gates as standard operators that stay within float16, whose largest number is 65,504.

The forms of `write_out` square x first, which overflows from 256 on. Here the argument is scaled before it is clipped:
u = clip(s·x, ±64), s = sqrt(a·b), and the unit t = u / sqrt(u² + 1) is ±1 to the last bit of float16 at the clip.
`FoldInputScale` moves s into the layer before, where there is one.

Source: ours; the errors over every finite float16 are in `tests/export/passes/test_half_forms.py`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from zoo.numerics.constants import CUBIC, SCALE

LIMIT = 64.0
"""Where the argument is clipped: t is within 1.3e-4 of ±1 there, a quarter of float16's spacing."""
LARGEST = 65504.0
_LARGEST_BASE = 240.0
"""What GALU may square."""
_NORMALISED = 64.0
"""The largest of p and q in v / sqrt(p + q·v²), |v| <= 1: both keep their digits, and nothing overflows."""
_SMALLEST = float(np.finfo(np.float16).tiny)
_LEAST_UNDER_ROOT = 0.26
"""The least height S whose S⁻²·u² is below 65,504."""
_ONE_BIT = 2.0**-12
"""A factor so near 1 rounds to 1."""


def _times(site: Any, x: ir.Value, factor: float) -> ir.Value:
    return x if abs(factor - 1) < _ONE_BIT else site.make("Mul", x, factor)


def _saturate(site: Any, u: ir.Value, height: float = 1.0) -> ir.Value:
    """height·u / sqrt(u² + 1), |u| <= 64; the height goes under the root where q·u² fits, which halves its rounding."""
    square = site.make("Mul", u, u)
    under_root = _LEAST_UNDER_ROOT <= height <= 1 / _LEAST_UNDER_ROOT
    q = height**-2 if under_root else 1.0
    root = site.make("Sqrt", site.make("Add", _times(site, square, q), q))
    return _times(site, site.make("Div", u, root), 1.0 if under_root else height)


def _clipped(site: Any, scale: float) -> ir.Value:
    """u = clip(scale·x, ±64)."""
    return site.make("Clip", _times(site, site.x, scale), -LIMIT, LIMIT)


def _gate(site: Any, half: ir.Value, saturation: float) -> ir.Value:
    """x·(½ + half); where S is 1 or rounds to it, x is kept finite, since -inf·0 is no number."""
    x = site.make("Max", site.x, -LARGEST) if abs(saturation - 1) < 8 * _ONE_BIT else site.x
    return site.make("Mul", x, site.make("Add", half, 0.5))


def _salu(site: Any, a: float, b: float) -> ir.Value:
    return _saturate(site, _clipped(site, math.sqrt(a * b)), math.sqrt(a / b))


def _swalu(site: Any, a: float, b: float) -> ir.Value:
    saturation = math.sqrt(a / b)
    return _gate(site, _saturate(site, _clipped(site, math.sqrt(a * b)), saturation / 2), saturation)


def _galu(site: Any, a: float, b: float) -> ir.Value:
    """u = s·ψ(x) = w·(α·w² + β), x clipped to where u is 64; w is x, or x over that bound if x² could overflow."""
    linear, saturation = SCALE * math.sqrt(a * b), math.sqrt(a / b)
    bound = _root(linear * CUBIC, linear, LIMIT)
    base = 1.0 if bound <= _LARGEST_BASE else bound
    end = bound / base
    w = site.make("Clip", _times(site, site.x, 1 / base), -end, end)
    slope = site.make("Mul", site.make("Mul", w, w), linear * CUBIC * base**3)
    u = site.make("Mul", w, site.make("Add", slope, linear * base))
    return _gate(site, _saturate(site, u, saturation / 2), saturation)


def _salu_swalu(site: Any, a: float, b: float, c: float, d: float) -> ir.Value:
    """t·(S/2 + m·t / sqrt(p + q·t²)): SWALU's argument is k·t with k = S·sqrt(c·d), and p, q, m follow from it."""
    saturation, k = math.sqrt(a / b), math.sqrt(a / b * c * d)
    scale = math.sqrt(_NORMALISED) / max(1.0, k)
    t = _saturate(site, _clipped(site, math.sqrt(a * b)))
    square = _times(site, site.make("Mul", t, t), (scale * k) ** 2)
    inner = site.make("Div", t, site.make("Sqrt", site.make("Add", square, max(scale**2, _SMALLEST))))
    half = _times(site, inner, saturation * math.sqrt(c / d) * k * scale / 2)
    return site.make("Mul", t, site.make("Add", half, saturation / 2))


def _root(cubic: float, linear: float, value: float) -> float:
    """The x with cubic·x³ + linear·x = value, all positive, by Newton's method from above."""
    x = math.cbrt(value / cubic)
    for _ in range(60):
        x -= (cubic * x**3 + linear * x - value) / (3 * cubic * x**2 + linear)
    return x


HALF_FORMS: dict[str, Callable[..., ir.Value]] = {
    "Salu": _salu,
    "Swalu": _swalu,
    "Galu": _galu,
    "SaluSwalu": _salu_swalu,
}
"""As the forms of `WriteOut`: from a site and the attributes of its node to the value that replaces it."""

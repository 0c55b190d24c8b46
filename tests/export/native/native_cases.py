"""Random inputs of the operators, and what they should give: zoo.activations in float64, with a bound on the error."""

from dataclasses import dataclass, field

import numpy as np
import torch

from export.native import OPERATORS
from zoo.activations import fles, galu, salu, swalu
from zoo.activations.channel_means import positive_mean

TINY = float(np.finfo(np.float32).tiny)
LARGEST = float(np.finfo(np.float32).max)
# Relative to the quantity that `expected` names: four roundings of float32 in a row come to 2.4e-7.
TOLERANCE = 5e-7
# Of a mean: a sum of 32 positive terms in float32, the rest in float64.
MEAN_TOLERANCE = 1e-6
SPECIAL = np.array(
    [
        sign * size
        for size in (0.0, 1e-45, 3e-39, TINY, 1.0, 8192.0, 2.0**20, 1e30, LARGEST, np.inf)
        for sign in (1, -1)
    ],
    np.float32,
)
SPECIAL = np.append(SPECIAL, np.float32(np.nan))


@dataclass(frozen=True)
class Case:
    """One node and its inputs."""

    name: str
    attributes: dict[str, float | int]
    inputs: list[np.ndarray]
    expected: np.ndarray = field(repr=False)
    bound: np.ndarray = field(repr=False)

    def check(self, found: np.ndarray) -> float:
        """The largest error in units of the bound; fails where it is above 1 or a special value differs."""
        assert found.shape == self.expected.shape
        assert found.dtype == self.inputs[0].dtype
        if found.dtype == np.uint8:
            assert np.array_equal(found, self.expected), f"{np.argwhere(found != self.expected)[:3]}: {self}"
            return 0.0
        y, want = found.astype(np.float64), np.where(np.abs(self.expected) > LARGEST, np.inf, 1.0) * self.expected
        assert np.array_equal(np.isnan(y), np.isnan(want)), f"NaN where there should be none, or the reverse: {self}"
        with np.errstate(invalid="ignore"):
            error = np.abs(y - want) / self.bound
        # Beside the largest float the last rounding may go either way.
        alike = (y == want) | np.isnan(want) | (np.isinf(y) & (np.abs(self.expected) > LARGEST * (1 - 1e-6)))
        error = np.where(alike, 0.0, error)
        worst = float(np.max(error, initial=0.0))
        assert worst <= 1, f"{worst} bounds off at {np.argmax(error)}: {self}"
        return worst


def make_cases(name: str, count: int, seed: int = 0, largest: int = 200) -> list[Case]:
    """`count` random cases of an operator, among them empty ones, scalars, and a few that fill several tasks."""
    rng = np.random.default_rng([seed, sorted(OPERATORS).index(name)])
    by_name = {"FlesGate": _gate_case, "PositiveMean": _mean_case}
    make = by_name.get(name, _uint8_case if OPERATORS[name].element == "uint8" else _float_case)
    return [make(name, rng, 40_000 if largest >= 200 and i % 250 == 7 else largest) for i in range(count)]


def _shape(rng: np.random.Generator, largest: int) -> tuple[int, ...]:
    if largest > 10_000:
        return (2, largest // 2 + int(rng.integers(40)))
    choice = rng.integers(10)
    if choice == 0:
        return ((), (0,), (1,), (3, 0, 2))[rng.integers(4)]
    return (int(rng.integers(1, largest)),) if choice < 6 else tuple(rng.integers(1, 7, rng.integers(2, 5)).tolist())


def _floats(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal values at a random scale, or over the whole range of exponents, with special values strewn in."""
    if rng.random() < 0.5:
        values = rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 2)
    else:
        values = rng.choice([-1.0, 1.0], shape) * 10.0 ** rng.uniform(-44, 38.5, shape)
    values = np.where(rng.random(shape) < 0.1, rng.choice(SPECIAL, shape), values)
    return np.asarray(values, np.float32)


def _pairs(name: str, rng: np.random.Generator) -> dict[str, float]:
    """a, b, c, d over six decades, rounded as the file rounds them; equal pairs have the special limit 0 at -inf."""
    names = [attribute for attribute in OPERATORS[name].attributes if len(attribute) == 1]
    values = {key: float(np.float32(10.0 ** rng.uniform(-3, 3))) for key in names}
    for first, second in (("a", "b"), ("c", "d")):
        if second in values and rng.random() < 0.3:
            values[second] = values[first]
    return values


def _double(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float64))


def formula(name: str, at: dict, x: np.ndarray, r: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The operator in float64 and what its error is relative to: |y| for SALU, |z|·(1 + S) for a gate of z."""
    wide = _double(x)
    if name == "Salu":
        y = salu(wide, at["a"], at["b"])
        return y.numpy(), y.abs().numpy()
    if name in ("Swalu", "Galu"):
        y = (swalu if name == "Swalu" else galu)(wide, at["a"], at["b"])
        return y.numpy(), wide.abs().numpy() * (1 + (at["a"] / at["b"]) ** 0.5)
    inner = salu(wide, at["a"], at["b"])
    shortcut = torch.zeros_like(inner) if r is None else _double(r)
    size = (inner.abs() + shortcut.abs()).numpy()
    return swalu(inner + shortcut, at["c"], at["d"]).numpy(), size * (1 + (at["c"] / at["d"]) ** 0.5)


def _float_case(name: str, rng: np.random.Generator, largest: int) -> Case:
    shape, at = _shape(rng, largest), _pairs(name, rng)
    inputs = [_floats(rng, shape) for _ in OPERATORS[name].inputs]
    expected, size = formula(name, at, *inputs)
    return Case(name, at, inputs, expected, TOLERANCE * np.maximum(size, TINY))


def _channels(rng: np.random.Generator, largest: int) -> tuple[list[int], dict[str, int]]:
    """A shape with a batch, and the attributes `axis` and `block`."""
    if rng.random() < 0.3:
        block = int(rng.choice([4, 8, 16, 24]))
        positions = largest // 64 if largest > 10_000 else int(rng.integers(0, 40))
        return [int(rng.integers(1, 4)), block * int(rng.integers(1, 4)), positions], {"axis": 1, "block": block}
    rank = int(rng.integers(2, 5))
    shape = [int(n) for n in rng.integers(1, 9, rank)]
    axis = int(rng.integers(1, rank))
    shape[int(rng.integers(rank))] *= 1 if rng.random() < 0.5 else int(rng.integers(0, 30))
    if largest > 10_000:
        shape[-1] = largest // int(np.prod(shape[:-1])) + 1 if np.prod(shape[:-1]) else 7
    return shape, {"axis": axis - rank if rng.random() < 0.5 else axis, "block": 1}


def _stored(x: np.ndarray, block: int) -> np.ndarray:
    """(n, c, positions) in memory as (n, c / block, positions, block)."""
    if block == 1:
        return x
    n, c, positions = x.shape
    return np.ascontiguousarray(x.reshape(n, c // block, block, positions).swapaxes(2, 3)).reshape(x.shape)


def _mean_case(name: str, rng: np.random.Generator, largest: int) -> Case:
    shape, at = _channels(rng, largest)
    # Above this a float32 sum is infinite where the float64 one is not.
    x = np.clip(_floats(rng, tuple(shape)), -1e30, 1e30) if rng.random() < 0.9 else np.full(shape, np.inf, np.float32)
    expected = positive_mean(_double(x), at["axis"], shape[at["axis"]]).numpy()
    with np.errstate(invalid="ignore"):
        bound = MEAN_TOLERANCE * np.fmax(expected, TINY)
    return Case(name, dict(at), [_stored(x, at["block"])], expected, bound)


def _gate_case(name: str, rng: np.random.Generator, largest: int) -> Case:
    shape, at = _channels(rng, largest)
    rank, x = len(shape), _floats(rng, tuple(shape))
    axis, block = at["axis"] % rank, at["block"]
    sizes = [[shape[0] if i == 0 and rng.random() < 0.5 else shape[i] if i == axis else 1 for i in range(rank)]] * 2
    v, h = (rng.choice([0.0, -1.0, 1.0, 1.702, 30.0], size) * rng.uniform(0.1, 3, size) for size in sizes)
    v, h = v.astype(np.float32), h.astype(np.float32)
    wide = [_double(value) for value in (x, v, h)]
    expected, size = fles(*wide).numpy(), (wide[1] * wide[0]).abs().numpy()
    with np.errstate(invalid="ignore"):
        bound = TOLERANCE * np.fmax(size, TINY)
    return Case(name, dict(at), [_stored(x, block), v, h], _stored(expected, block), _stored(bound, block))


def _uint8_case(name: str, rng: np.random.Generator, largest: int) -> Case:
    spec = OPERATORS[name]
    at: dict[str, float | int] = dict(_pairs(name, rng))
    for tensor in (*spec.inputs, "Y"):
        at[f"{tensor.lower()}_scale"] = float(np.float32(10.0 ** rng.uniform(-4, 1)))
        at[f"{tensor.lower()}_zero_point"] = int(rng.choice([0, 128, 255, rng.integers(256)]))
    shape = _shape(rng, largest * 3)
    inputs = [np.asarray(rng.integers(0, 256, shape), np.uint8) for _ in spec.inputs]
    values = [
        (q.astype(np.float64) - at[f"{t.lower()}_zero_point"]) * at[f"{t.lower()}_scale"]
        for q, t in zip(inputs, spec.inputs, strict=True)
    ]
    y, _ = formula(spec.of, at, *values)
    expected = np.clip(np.rint(y / at["y_scale"]) + at["y_zero_point"], 0, 255).astype(np.uint8)
    return Case(name, at, inputs, expected, np.zeros(()))

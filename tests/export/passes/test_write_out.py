"""Standard operators that compute what PyTorch computes, at every input."""

import numpy as np
import pytest
import torch

from zoo.activations import galu, salu, swalu

from .graphs import Builder, names, run

PAIRS = [(1.0, 1.0), (0.5, 0.5), (1.7, 0.3), (0.02, 9.0), (30.0, 1e-3), (1e-6, 1e-6), (400.0, 1e-6)]
FORMS = {"Salu": salu, "Swalu": swalu, "Galu": galu}


def reach() -> np.ndarray:
    """All sizes of a float32, both signs, and what is not finite."""
    sizes = np.concatenate([[0.0, 1e-45, 1e-38], np.logspace(-30, 38, 137), np.linspace(0.1, 40, 200), [3.4028235e38]])
    return np.concatenate([sizes, -sizes]).astype(np.float32)


def convert(name: str, values: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    build = Builder(x.shape)
    return run(build.model(build.ours(name, build.x, *values)), x)[0]


def tolerance(term: np.ndarray, saturation: float) -> np.ndarray:
    """Some roundings of the largest term; below 1e-38 one rounding is 1.4e-45, and S multiplies it."""
    return 1e-6 * np.abs(term.astype(np.float64)) + 1e-44 * (1 + saturation)


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("name", FORMS)
def test_finite_inputs(name, a, b):
    x = reach()
    with np.errstate(over="ignore"):
        found = convert(name, (a, b), x).astype(np.float64)
    exact = FORMS[name](torch.from_numpy(x).double(), a, b).numpy()
    saturation = np.sqrt(a / b)
    limit = tolerance(exact if name == "Salu" else x.astype(np.float64) * (1 + saturation), saturation)
    # x/2·(1 + S) itself may exceed what float32 holds.
    fits = np.abs(exact) < np.finfo(np.float32).max
    assert np.isfinite(found[fits]).all()
    assert (np.abs(found - exact)[fits] <= limit[fits]).all()


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("name", FORMS)
def test_what_is_not_finite(name, a, b):
    x = np.array([np.inf, -np.inf, np.nan], np.float32)
    expected = FORMS[name](torch.from_numpy(x), a, b).numpy()
    np.testing.assert_allclose(convert(name, (a, b), x), expected, rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize(("c", "d"), [(0.5, 0.5), (1.3, 0.2), (0.02, 4.0)])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_pair_is_one_after_the_other(a, b, c, d):
    x = reach()
    found = convert("SaluSwalu", (a, b, c, d), x).astype(np.float64)
    inner = salu(torch.from_numpy(x).double(), a, b)
    limit = tolerance(inner.numpy() * (1 + np.sqrt(c / d)), np.sqrt(a / b))
    assert (np.abs(found - swalu(inner, c, d).numpy()) <= limit).all()
    ends = np.array([np.inf, -np.inf, np.nan], np.float32)
    expected = swalu(salu(torch.from_numpy(ends).double(), a, b), c, d).numpy()
    np.testing.assert_allclose(
        convert("SaluSwalu", (a, b, c, d), ends),
        expected,
        atol=1e-6 * np.sqrt(a / b) * (1 + np.sqrt(c / d)),
        rtol=1e-6,
        equal_nan=True,
    )


@pytest.mark.parametrize(
    ("name", "values", "nodes"),
    [
        ("Salu", (1.0, 1.0), "Clip Mul Add Sqrt Div"),
        ("Salu", (2.0, 1.0), "Clip Mul Add Sqrt Div Mul"),
        ("Swalu", (0.7, 0.9), "Clip Mul Mul Add Sqrt Div Add Mul"),
        ("Swalu", (0.5, 0.5), "Clip Mul Mul Add Sqrt Div Max Add Mul"),
        ("Galu", (0.7, 0.9), "Clip Mul Add Mul Mul Mul Add Sqrt Div Add Mul"),
        ("SaluSwalu", (0.7, 0.9, 0.6, 0.8), "Clip Mul Add Sqrt Div Mul Add Sqrt Div Add Mul"),
    ],
)
def test_few_nodes(name, values, nodes):
    build = Builder()
    model = build.model(build.ours(name, build.x, *values))
    run(model, np.zeros((2, 6, 5, 5), np.float32))
    assert sorted(names(model)) == sorted(nodes.split())


def test_numbers_are_shared_and_every_value_has_a_shape():
    build = Builder()
    model = build.model(build.ours("Salu", build.ours("Salu", build.x, 2.0, 3.0), 2.0, 3.0))
    run(model, np.zeros((2, 6, 5, 5), np.float32))
    assert len(model.graph.initializers) == 4  # ± the bound, p, S
    assert all(str(node.outputs[0].shape) == "[2,6,5,5]" for node in model.graph)
    assert all(node.domain == "" for node in model.graph)
    assert list(model.opset_imports) == [""]

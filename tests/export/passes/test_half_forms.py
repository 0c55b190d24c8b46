"""SALU and its gates in float16: every finite input, each node rounded to float16 as numpy does it."""

import itertools

import numpy as np
import onnx_ir as ir
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from export.passes.name_nodes import NameNodes
from export.passes.sixteen_bits import ToSixteenBits
from export.passes.write_out import WriteOut
from zoo.activations import galu, salu, swalu

from .graphs import Builder, names

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)
FINITE = EVERY[np.isfinite(EVERY)].astype(np.float32)
GATES = {"Swalu": swalu, "Galu": galu}
FULL = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FEW = (0.01, 0.5, 1.0, 10.0)
# Half of a float16's spacing at its smallest: what is rounded to zero there is no error of the form.
TINY = 2.0**-24


def graph(name: str, values: tuple[float, ...], size: int) -> ir.Model:
    build = Builder((size,))
    model = build.model(build.ours(name, build.x, *values))
    ir.passes.Sequential(WriteOut(half=True), NameNodes(), ToSixteenBits("float16", "CUDA"))(model)
    return model


def convert(name: str, values: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """onnx's reference evaluator keeps float16 between the nodes, which a runtime on a CPU need not."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = ReferenceEvaluator(ir.to_proto(graph(name, values, len(x)))).run(None, {"x": x})[0]
    return found.astype(np.float64)


def pairs(numbers: tuple[float, ...], mark=()) -> list:
    return [pytest.param(a, b, marks=mark) for a, b in itertools.product(numbers, numbers)]


GRID = pairs(FEW) + pairs(FULL, pytest.mark.slow)


def test_all_finite_inputs_are_tried():
    assert len(FINITE) == 63488


@pytest.mark.parametrize(("a", "b"), GRID)
def test_salu(a, b):
    exact = salu(torch.from_numpy(FINITE).double(), a, b).numpy()
    assert np.abs(convert("Salu", (a, b), FINITE) - exact).max() <= 1.6e-3 * np.sqrt(a / b)


@pytest.mark.parametrize(("a", "b"), GRID)
@pytest.mark.parametrize("name", GATES)
def test_gates(name, a, b):
    found, exact = convert(name, (a, b), FINITE), GATES[name](torch.from_numpy(FINITE).double(), a, b).numpy()
    # x/2·(1 + S) itself may exceed what float16 holds.
    fits = np.abs(exact) <= 65504 * (1 - 1e-3)
    assert np.isfinite(found[fits]).all()
    limit = 8.2e-4 * np.abs(FINITE.astype(np.float64)) * (1 + np.sqrt(a / b)) + TINY * (1 + np.sqrt(a / b))
    assert (np.abs(found - exact)[fits] <= limit[fits]).all()


def quadruples(numbers: tuple[float, ...], mark=()) -> list:
    return [pytest.param(values, marks=mark) for values in itertools.product(numbers, repeat=4)]


@pytest.mark.parametrize(
    "values", quadruples((0.01, 10.0)) + quadruples((0.01, 0.1, 0.5, 1.0, 3.0, 10.0), pytest.mark.slow), ids=str
)
def test_the_pair(values):
    a, b, c, d = values
    exact = swalu(salu(torch.from_numpy(FINITE).double(), a, b), c, d).numpy()
    found = convert("SaluSwalu", values, FINITE)
    assert np.abs(found - exact).max() <= 1.2e-3 * np.sqrt(a / b) * (1 + np.sqrt(c / d))


@pytest.mark.parametrize("name", ["Salu", "Swalu", "Galu", "SaluSwalu"])
@pytest.mark.parametrize("a", [0.02, 0.5, 1.0, 1.0001, 1.002])
def test_infinity_is_answered_by_a_number_or_infinity(name, a):
    """A convolution that overflows must not become NaN behind SALU; the input itself is cut."""
    model = graph(name, (a, 1.0) if name != "SaluSwalu" else (a, 1.0, a, 1.0), 2)
    # Behind the cut and the Cast of the input: what an overflowing layer would hand on.
    model.graph.inputs[0].type = ir.TensorType(ir.DataType.FLOAT16)
    first = next(node for node in model.graph if node.op_type == "Cast")
    ir.convenience.replace_all_uses_with(first.outputs[0], model.graph.inputs[0])
    cut = next(node for node in model.graph if node.op_type == "Clip" and node.outputs[0] is first.inputs[0])
    model.graph.remove([first, cut], safe=True)
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": np.array([np.inf, -np.inf], np.float16)})[0]
    assert not np.isnan(found).any()


@pytest.mark.parametrize(
    ("name", "values", "count"),
    [
        ("Salu", (1.0, 1.0), 5),
        ("Salu", (2.0, 0.5), 6),
        ("Swalu", (0.5, 0.5), 10),
        ("Galu", (0.7, 0.9), 12),
        ("SaluSwalu", (0.8, 1.25, 0.6, 0.8), 13),
    ],
)
def test_few_nodes(name, values, count):
    found = [n for n in names(graph(name, values, 4)) if n != "Cast"]
    assert len(found) == count + 1, "and the cut of the input"


def test_far_from_usual_scalars_stay_finite():
    for values in ((1e-6, 1e-6), (1e-6, 400.0), (400.0, 1e-6), (400.0, 400.0)):
        for name in ("Salu", "Swalu", "Galu"):
            found = convert(name, values, np.array([0.0, 1e-4, -1.0, 3.0], np.float32))
            assert np.isfinite(found).all(), (name, values)
        assert np.isfinite(convert("SaluSwalu", (*values, *values), np.array([0.0, 1.0, -3.0], np.float32))).all()

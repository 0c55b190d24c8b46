"""FleS's two operators written out against PyTorch's functions, and traced where FleS stands."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx_ir.tape import Tape

from export import InputSpec
from export.inputs.source import read_source
from export.lower.to_onnx import lower
from export.operators.nodes import DOMAIN, VERSION
from export.passes.write_out_fles import WriteOutFles
from export.runtime.session import open_session, run_session
from export.targets import get_target
from zoo.activations import FleS, fles
from zoo.activations.channel_means import positive_mean

SHAPES = [((3, 6, 5, 4), 1), ((2, 7, 6), 2), ((2, 6), 1)]
KINDS = {np.float32: ir.DataType.FLOAT, np.float16: ir.DataType.FLOAT16}


def graph(name: str, arrays: dict[str, np.ndarray], axis: int, result: tuple[int, ...]) -> ir.Model:
    tape, given = Tape(), []
    for key, value in arrays.items():
        given.append(ir.val(key, ir.DataType.FLOAT if key != "x" else KINDS[value.dtype.type], value.shape))
    made = tape.op(name, given, {"axis": axis, "block": 1}, domain=DOMAIN, version=VERSION)
    made.name, made.shape, made.type = "y", ir.Shape(result), ir.TensorType(given[0].dtype)
    opsets = {"": 20, DOMAIN: VERSION}
    return ir.Model(ir.Graph(given, [made], nodes=tape.nodes, opset_imports=opsets, name="g"), ir_version=10)


def written_out(name: str, arrays: dict[str, np.ndarray], axis: int, result: tuple[int, ...]) -> np.ndarray:
    model = graph(name, arrays, axis, result)
    assert WriteOutFles()(model).modified
    assert DOMAIN not in model.opset_imports
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return run_session(open_session(proto.SerializeToString(), optimize=False, threads=1), arrays)[0]


def normal(shape: tuple[int, ...], kind: type = np.float32) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(kind)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_positive_mean(shape, axis, kind):
    x = normal(shape, kind)
    x[0] = -np.abs(x[0])  # nothing >= 0: the mean is 0
    found = written_out("PositiveMean", {"x": x}, axis, (shape[0], shape[axis]))
    exact = positive_mean(torch.from_numpy(x).double(), axis, shape[axis]).numpy()
    assert found.dtype == kind
    assert not found[0].any()
    np.testing.assert_allclose(found, exact, rtol=1e-6 if kind is np.float32 else 1e-3)


def test_the_count_is_exact_for_every_kind_of_number():
    """Powers of two and their neighbours down to the smallest subnormal, zeros, infinities and their negatives."""
    with np.errstate(over="ignore", under="ignore"):
        powers = np.ldexp(np.float32(1), np.arange(-149, 128)).astype(np.float32)
    numbers = np.concatenate([powers, np.nextafter(powers, np.float32(np.inf)), np.float32([0, np.inf, 3.4028235e38])])
    numbers = np.concatenate([numbers, -numbers])
    x = np.stack([numbers, np.full_like(numbers, 2), np.full_like(numbers, -3)], axis=1)[..., None]
    found = written_out("PositiveMean", {"x": x}, 2, (len(x), 1))
    with np.errstate(over="ignore"):
        total = np.where(numbers > 0, numbers, np.float32(0)) + np.float32(2)
    np.testing.assert_array_equal(found[:, 0], total / np.where(numbers >= 0, np.float32(2), np.float32(1)))


def test_nan_stays_nan():
    x = np.float32([[[np.nan], [2.0]], [[1.0], [-1.0]]])
    np.testing.assert_array_equal(written_out("PositiveMean", {"x": x}, 2, (2, 1)), np.float32([[np.nan], [1.0]]))


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_gate(shape, axis, kind):
    sizes = [n if i in (0, axis) else 1 for i, n in enumerate(shape)]
    x, v, h = normal(shape, kind), normal(tuple(sizes)), normal((1, *sizes[1:]))
    found = written_out("FlesGate", {"x": x, "v": v, "h": h}, axis, shape)
    exact = fles(*(torch.from_numpy(value).double() for value in (x, v, h))).numpy()
    assert found.dtype == kind
    np.testing.assert_allclose(found, exact, rtol=1e-6 if kind is np.float32 else 2e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("fles", ["FlesGate", "PositiveMean"]), ("pn", ["FlesGate"]), ("proto", ["FlesGate", "PositiveMean"]),
     ("dg", ["FlesGate"]), ("adas", ["PositiveMean"])],
)  # fmt: skip
def test_what_fles_is_traced_as(variant, expected):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), FleS(8, 1, variant=variant), torch.nn.Flatten(1))
    source = read_source(model.eval(), input_spec=InputSpec(3, 6, 6))
    traced = lower(source, get_target("portable"))
    assert sorted(node.op_type for node in traced.graph if node.domain == DOMAIN) == expected
    assert "forward" not in model[1].__dict__


def test_a_mask_stands_in_front_of_the_mean():
    class Masked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = FleS(6, -1)

        def forward(self, x):
            tokens = x.flatten(1, 2)
            return self.gate(tokens, (tokens[..., 0] > 0).int()).flatten(1)

    traced = lower(read_source(Masked().eval(), input_spec=InputSpec(2, 5, 6)), get_target("portable"))
    ours = {node.op_type: node for node in traced.graph if node.domain == DOMAIN}
    assert sorted(ours) == ["FlesGate", "PositiveMean"]
    assert ours["PositiveMean"].inputs[0].producer().op_type == "Where"

"""The table of operators by place and type: held against the runtimes that are here, and what export does with it."""

import subprocess
import sys

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import TensorProto, helper

from export import InputSpec, LoweringError, export
from export.passes._kernels import KERNELS, lacks
from export.passes.check_graph import CheckGraph
from export.runtime.session import open_session

from .graphs import Builder
from .test_sixteen_bits import converted

FLOAT, HALF, BRAIN = ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16
UNARY = (
    "Abs", "Acos", "Asin", "Atan", "Ceil", "Cos", "Erf", "Exp", "Floor", "Gelu", "HardSwish", "Identity", "IsNaN",
    "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus",
    "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu"
)  # fmt: skip

_LISTED = """
import onnx, onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state
onnxruntime.preload_dlls()
for k in state.get_all_opkernel_def():
    if k.domain == "":
        print(k.provider, k.op_name, *k.version_range, *{t for found in k.type_constraints.values() for t in found})
"""


def test_the_cpu_runs_what_the_table_gives_it():
    for name in UNARY:
        kind = TensorProto.BOOL if name == "IsNaN" else TensorProto.FLOAT
        ends = [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("y", kind, [2]),
        ]
        graph = helper.make_graph([helper.make_node(name, ["x"], ["y"])], "one", ends[:1], ends[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        assert not lacks("CPU", ir.from_proto(model).graph[0], FLOAT), name
        open_session(model.SerializeToString(), threads=1)


def test_the_table_is_that_of_the_installed_runtime():
    done = subprocess.run([sys.executable, "-c", _LISTED], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("ONNX Runtime lists its kernels only where all its providers start")
    rows = [line.split() for line in done.stdout.splitlines()]
    for (place, kind), names in KERNELS.items():
        opset, word = 22 if kind == BRAIN else 20, f"tensor({kind.name.lower()})"
        here = [row for row in rows if row[0] == f"{place}ExecutionProvider"]
        for name in names if here else ():
            since = onnx.defs.get_schema(name, opset).since_version
            assert any(r[1] == name and int(r[2]) <= since <= int(r[3]) and word in r for r in here), (
                place,
                kind,
                name,
            )


@pytest.mark.parametrize("name", ["Clip", "Less", "Greater", "MaxPool"])
def test_cuda_has_no_such_operator_in_bfloat16(name):
    node = ir.node(name, [ir.val("x")])
    assert lacks("CUDA", node, BRAIN)
    assert not lacks("CUDA", node, HALF)
    assert not lacks("CPU", node, FLOAT)


def test_what_is_not_in_the_table_is_left_to_the_runtime():
    assert not lacks("CUDA", ir.node("NoSuchOperator", [ir.val("x")]), BRAIN)
    assert not lacks("CUDA", ir.node("Tan", [ir.val("x")], domain="elsewhere"), FLOAT)
    assert not lacks("CUDA", ir.node("Celu", [ir.val("x")]), FLOAT)  # the standard defines it by others
    assert lacks("CUDA", ir.node("Tan", [ir.val("x")]), FLOAT)


def pooled() -> ir.Model:
    build = Builder()
    bounds = [
        ir.val(name, const_value=ir.tensor(np.array(value, np.float32))) for name, value in (("lo", -1), ("hi", 1))
    ]
    build.weights += bounds
    y = build.standard("Clip", build.standard("Conv", build.x, build.weight(6, 6, 1, 1)), *bounds)
    return build.model(build.standard("MaxPool", y, kernel_shape=[1, 1]))


@pytest.mark.parametrize(("precision", "wide"), [("bfloat16", {"Clip", "MaxPool"}), ("float16", set())])
def test_what_cuda_lacks_stays_wide(precision, wide):
    model = converted(pooled(), precision)
    inner = (node for node in model.graph if node.op_type != "Cast" and node.inputs[0] not in model.graph.inputs)
    found = {node.op_type for node in inner if node.outputs[0].dtype == FLOAT}
    assert found == wide
    assert not [node for node in model.graph if lacks("CUDA", node, node.inputs[0].dtype)]


def test_a_node_that_is_lacking_is_named():
    model = pooled()
    next(node for node in model.graph if node.op_type == "Conv").op_type = "Det"
    with pytest.raises(LoweringError, match=r"CUDA does not compute Det in float \(node .*other operators"):
        CheckGraph((), place="CUDA")(model)


class Tangent(torch.nn.Module):
    def forward(self, x):
        return torch.tan(x).mean((2, 3))


def test_export_refuses_it(tmp_path):
    spec = InputSpec(3, 8, 8)
    with pytest.raises(LoweringError, match=r"CUDA does not compute Tan in float \(node /Tan\)"):
        export(Tangent(), tmp_path / "x.onnx", target="gpu_tensorrt", input_spec=spec, threads=1)
    assert not list(tmp_path.iterdir())

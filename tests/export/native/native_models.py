"""ONNX models of salu_zoo operators, and sessions on them."""

import numpy as np
import onnxruntime
from native_cases import Case
from onnx import ModelProto, TensorProto, helper

from export.native import DOMAIN, OP_VERSION, OPERATORS, register

TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}


def node(name: str, inputs: list[str], output: str, attributes: dict):
    return helper.make_node(name, inputs, [output], domain=DOMAIN, **attributes)


def model(nodes: list, inputs: dict[str, str], outputs: dict[str, str]) -> bytes:
    """Nodes as a model; inputs and outputs are names with "float32" or "uint8", of any shape."""

    def values(names):
        return [helper.make_tensor_value_info(name, TYPES.get(kind, kind), None) for name, kind in names.items()]

    graph = helper.make_graph(nodes, "native", values(inputs), values(outputs))
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, OP_VERSION)]
    made: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return made.SerializeToString()


def open_native(content: bytes, threads: int = 1):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    options.intra_op_num_threads = threads
    register(options)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])  # noqa: TID251


def run_cases(cases: list[Case], threads: int = 1) -> list[np.ndarray]:
    """All cases as the nodes of one model, each with inputs of its own."""
    nodes, inputs, outputs, feeds = [], {}, {}, {}
    for i, case in enumerate(cases):
        spec = OPERATORS[case.name]
        names = [f"{name}{i}" for name in spec.inputs]
        nodes.append(node(case.name, names, f"Y{i}", case.attributes))
        inputs |= dict.fromkeys(names, spec.element)
        outputs[f"Y{i}"] = spec.element
        feeds |= dict(zip(names, case.inputs, strict=True))
    return open_native(model(nodes, inputs, outputs), threads).run(list(outputs), feeds)


def one(name: str, attributes: dict, threads: int = 1):
    """A session on a single node."""
    spec = OPERATORS[name]
    return open_native(
        model(
            [node(name, list(spec.inputs), "Y", attributes)],
            dict.fromkeys(spec.inputs, spec.element),
            {"Y": spec.element},
        ),
        threads,
    )

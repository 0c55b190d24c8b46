"""Precision of a graph, read from the graph and not from what the file says about itself."""

import math
from collections import Counter

import onnx
from onnx import TensorProto

from export.errors import ChangedFileError
from export.export_target import ExportTarget
from export.metadata import FileMetadata
from export.operators.operator_table import DOMAIN
from export.targets import get_target

_FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
_TO_INTEGERS = frozenset(("QuantizeLinear", "DequantizeLinear"))


def graph_precision(graph: onnx.GraphProto) -> str:
    """ "int8" if values become integers or our operators look up integers, else the type most stored numbers have."""
    if any(node.op_type in _TO_INTEGERS or (node.domain == DOMAIN and node.op_type[0] == "Q") for node in graph.node):
        return "int8"
    read = {name for node in graph.node for name in node.input}
    sizes: Counter[str] = Counter({"float32": 0})
    for tensor in graph.initializer:
        if tensor.name in read and tensor.data_type in _FLOATS:
            sizes[_FLOATS[tensor.data_type]] += math.prod(tensor.dims)
    return sizes.most_common(1)[0][0]


def stored_in(target: ExportTarget, precision: str) -> str:
    """The precision of the graph of a file for a target: TF32, and OpenVINO's bfloat16, are computed from float32."""
    return "float32" if precision == "tf32" or target.runtime == "openvino" else precision


def check_label(graph: onnx.GraphProto, record: FileMetadata, file: object) -> None:
    """Refuse a file that says it computes in something else than its graph holds.

    Raises:
        ChangedFileError: it does.
        TargetError: there is no such target.
    """
    found, said = graph_precision(graph), stored_in(get_target(record.target), record.precision)
    if found != said:
        raise ChangedFileError(
            f"{file} says that it computes in {record.precision} (target {record.target}), but its graph holds "
            f"{found}. Export the model again."
        )

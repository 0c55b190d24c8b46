"""A graph as ONNX Runtime rewrites it for this machine."""

import tempfile
from pathlib import Path

import onnx
import onnxruntime

from export.operators.operator_table import DOMAIN


def optimised(file: bytes) -> onnx.ModelProto:
    """Let ONNX Runtime optimise a graph for the CPU, and give back what it would run.

    Args:
        file: an ONNX file; operators of ours in it stay as they are.

    Raises:
        NativeError: it has such operators, and they cannot be had.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(saved)
        if uses_operators(file):
            from export.native import register

            register(options)
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])  # noqa: TID251 to save, not run
        return onnx.load(saved)


def uses_operators(file: bytes) -> bool:
    """True if a file has operators of ours."""
    return any(opset.domain == DOMAIN for opset in onnx.load_from_string(file).opset_import)

"""What a target is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExportTarget:
    """Where an exported file will run, and what it may therefore contain.

    Args:
        name: what the user types.
        opset: version of the standard ONNX operator set.
        ir_version: version of the ONNX file format.
        precision: the row of `export.parity.tolerances` the file is judged by.
        description: one line for the help of `zoo export --target`.
        oldest_runtime: the oldest ONNX Runtime that loads the file, named in the plan.
    """

    name: str
    opset: int
    ir_version: int
    precision: str
    description: str
    oldest_runtime: str

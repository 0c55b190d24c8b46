"""Weights that a pass may multiply: those stored in the file that one layer alone reads."""

import numpy as np
import onnx_ir as ir

# Positions of the weights, and of the weights and the bias, among a layer's inputs.
KERNEL = {"Conv": 1, "Gemm": 1, "MatMul": 1}
BIAS = {"Conv": 2, "Gemm": 2}


def is_layer(node: ir.Node | None) -> bool:
    """True if a node multiplies what it reads first by weights."""
    return node is not None and node.domain == "" and node.op_type in KERNEL


def given(node: ir.Node, position: int | None) -> ir.Value | None:
    """The input at a position, or None where it is left out."""
    return node.inputs[position] if position is not None and position < len(node.inputs) else None


def is_own(value: ir.Value | None) -> bool:
    """True if a value is stored in the file and read in one place."""
    return value is not None and value.is_initializer() and value.const_value is not None and len(value.uses()) == 1


def multiply(value: ir.Value, scale: float) -> None:
    """Multiply a stored value, in float64 and rounded once."""
    stored = value.const_value
    assert stored is not None  # `is_own` has seen it
    before = stored.numpy()
    value.const_value = ir.tensor((before.astype(np.float64) * scale).astype(before.dtype), name=value.name)


def kernels_behind(value: ir.Value) -> list[ir.Value]:
    """The weights of all that read a value; nothing if one of the readers has none of its own."""
    if value.is_graph_output() or any(use.idx != 0 or not is_layer(use.node) for use in value.uses()):
        return []
    kernels = [use.node.inputs[KERNEL[use.node.op_type]] for use in value.uses()]
    return [kernel for kernel in kernels if kernel is not None] if all(is_own(kernel) for kernel in kernels) else []

"""Our operators as onnx's reference evaluator runs them: PyTorch's functions, in float64."""

import numpy as np
import onnx_ir as ir
import torch
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from export.operators.nodes import DOMAIN
from zoo.activations import galu, salu, swalu


def _operator(name: str, function):
    def _run(self, *inputs, **values):
        given = [torch.from_numpy(np.asarray(i)).double() for i in inputs]
        return (function(given, *(values[key] for key in sorted(values))).to(torch.float32).numpy(),)

    return type(name, (OpRun,), {"op_domain": DOMAIN, "_run": _run})


OPERATORS = [
    _operator("Salu", lambda x, a, b: salu(x[0], a, b)),
    _operator("Swalu", lambda x, a, b: swalu(x[0], a, b)),
    _operator("Galu", lambda x, a, b: galu(x[0], a, b)),
    _operator("SaluSwalu", lambda x, a, b, c, d: swalu(salu(x[0], a, b), c, d)),
    _operator("SaluAddSwalu", lambda x, a, b, c, d: swalu(salu(x[0], a, b) + x[1], c, d)),
]


def evaluate(model: ir.Model, x: np.ndarray) -> list[np.ndarray]:
    """Run a graph that still holds our operators."""
    return ReferenceEvaluator(ir.to_proto(model), new_ops=OPERATORS).run(None, {"x": x})

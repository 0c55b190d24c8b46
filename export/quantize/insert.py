"""The graph in integers, from the graph in float32 and the ranges of its values."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import onnx
import onnx_ir as ir
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import add_infer_metadata

from export.passes.to_tables import TABLE_OPERATORS, ToTables
from export.quantize.quantized_sites import QuantizedSite

Ranges = Mapping[str, tuple[float, float]]
"""Least and greatest value of each tensor by its name."""

_FLOAT_OUTPUTS = ["Gemm", "MatMul"]
_OPTIONS = {
    "ActivationSymmetric": False,
    "WeightSymmetric": True,
    "OpTypesToExcludeOutputQuantization": _FLOAT_OUTPUTS,
}


def insert(model: ir.Model, sites: Iterable[QuantizedSite], ranges: Ranges) -> ir.Model:
    """Quantise the nodes of some sites; all others compute in float32.

    Activations: uint8, q = round(x / s) + z, one s and z per tensor. Weights: int8 symmetric, one scale per output
    channel, in -64..64 only: processors without VNNI add the products of two pairs of bytes in 16 bits, which eight
    bits can overflow, and the file would be wrong there and nowhere else. Biases: int32. Operators of ours between
    integers become tables.

    The nodes QuantizeLinear and DequantizeLinear are put in by `onnxruntime.quantization`. Its own calibration is not
    used: it opens a session that does not know our operators, and keeps every activation of every image in memory.

    Args:
        model: the float32 graph; it is left as it was.
        sites: what to quantise.
        ranges: for every input and output of their nodes, as `export.quantize.ranges` gives.
    """
    proto = ir.to_proto(model)
    kinds = {str(node.name): node.op_type for node in model.graph}
    names = [node for site in sites for node in site.nodes]
    data = {name: TensorData(lowest=np.float32(low), highest=np.float32(high)) for name, (low, high) in ranges.items()}
    add_infer_metadata(proto)  # the shapes are all there, so that none need be inferred
    with _quiet():
        quantizer = QDQQuantizer(
            proto,
            per_channel=True,
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, data),
            nodes_to_quantize=names,
            nodes_to_exclude=[],
            op_types_to_quantize=sorted({kinds[name] for name in names}),
            extra_options=dict(_OPTIONS),
        )
        quantizer.quantize_model()
    return _finished(quantizer.model.model, model)


def _finished(proto: onnx.ModelProto, before: ir.Model) -> ir.Model:
    model = ir.from_proto(proto)
    model.metadata_props.clear()
    model.metadata_props.update(before.metadata_props)
    for domain in set(model.opset_imports) - set(before.opset_imports):
        model.opset_imports.pop(domain)
    model.graph.sort()
    ToTables()(model)
    return model


def tables(model: ir.Model) -> int:
    """Count the operators of ours that look their results up."""
    return sum(node.op_type in TABLE_OPERATORS.values() for node in model.graph)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's chatter, by the root logger, off the user's terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

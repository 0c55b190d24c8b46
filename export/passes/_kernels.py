"""Table of the standard operators that compute in each floating type, by what runs them.

Source: the kernels that ONNX Runtime 1.31.1 registers (`get_all_opkernel_def` in its Python module, generated into
docs/OperatorKernels.md), for opset 20 and in bfloat16 for opset 22; for OpenVINO the table of its ONNX frontend
(src/frontends/onnx/docs/supported_ops.md). onnxruntime-web has the operators of the CPU in WebAssembly; what its WebGPU
lacks runs there.
"""

import onnx
import onnx_ir as ir

FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)

_CUDA_ALL = """
    Abs Add AveragePool Cast Compress Concat ConstantOfShape Conv Cos DeformConv Div Dropout Erf Exp Expand Flatten
    Gather GatherElements GatherND Gelu Gemm HardSigmoid HardSwish Identity IsInf IsNaN LayerNormalization
    LpNormalization MatMul Max Min Mod Mul Neg Pow RandomNormal RandomNormalLike RandomUniform RandomUniformLike
    ReduceMean ReduceSum Relu Reshape ReverseSequence RoiAlign ScatterElements ScatterND Shape Sigmoid Sign Sin Size
    Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Trilu Unsqueeze Where
"""
_CUDA_HALF = """
    ArgMax ArgMin BatchNormalization Ceil Clip ConvTranspose CumSum DepthToSpace DequantizeLinear Einsum Elu Equal
    Floor GRU GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual InstanceNormalization LRN LSTM LeakyRelu Less
    LessOrEqual Log LogSoftmax MaxPool NonZero PRelu Pad QuantizeLinear RNN Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd ReduceSumSquare Resize Round Selu Shrink
    SpaceToDepth ThresholdedRelu TopK
"""
_CUDA_SINGLE = """
    EyeLike GridSample Range
"""
_CPU = """
    Abs Acos Acosh Add AffineGrid ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BlackmanWindow
    Cast Ceil Celu Clip Col2Im Compress Concat ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DFT DeformConv
    DepthToSpace DequantizeLinear Det Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
    HammingWindow HannWindow HardSigmoid Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul Max MaxPool
    MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mod Mul Multinomial Neg NonZero OneHot
    PRelu Pad Pow QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike
    Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign Round STFT ScatterElements ScatterND Selu
    Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum
    Tan Tanh TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Where
"""
_OPENVINO_LACKS = """
    DeformConv Det LpPool MaxUnpool MelWeightMatrix TfIdfVectorizer
"""

_SINGLE = frozenset(f"{_CUDA_ALL} {_CUDA_HALF} {_CUDA_SINGLE}".split())
_KNOWN = _SINGLE | frozenset(_CPU.split())
KERNELS = {
    ("CPU", ir.DataType.FLOAT): frozenset(_CPU.split()),
    ("CUDA", ir.DataType.FLOAT): _SINGLE,
    ("CUDA", ir.DataType.FLOAT16): _SINGLE - frozenset(_CUDA_SINGLE.split()),
    ("CUDA", ir.DataType.BFLOAT16): frozenset(_CUDA_ALL.split()),
    ("OpenVINO", ir.DataType.FLOAT): _KNOWN - frozenset(_OPENVINO_LACKS.split()),
}
"""Operators by what runs them and the type they compute in."""


def type_of(node: ir.Node) -> ir.DataType | None:
    """Return the type a node computes in: that of the first floating-point value among its inputs, then its outputs."""
    kinds = [value.dtype for value in (*node.inputs, *node.outputs) if value is not None]
    return next((kind for kind in kinds if kind in FLOATS), None)


def lacks(place: str, node: ir.Node, kind: ir.DataType | None) -> bool:
    """True if nothing computes a standard operator there.

    Operators that the table does not name are none of its business. In float32 ONNX Runtime expands an operator that
    the standard defines by others.

    Args:
        place: "CPU", "CUDA" or "OpenVINO".
        node: the node.
        kind: the type it computes in.
    """
    present = KERNELS.get((place, kind or ir.DataType.UNDEFINED), _KNOWN)
    if node.domain != "" or node.op_type not in _KNOWN - present:
        return False
    return kind != ir.DataType.FLOAT or not onnx.defs.get_schema(node.op_type).has_function  # type: ignore[attr-defined]

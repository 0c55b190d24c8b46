"""The file for ONNX Runtime's TensorRT provider, whose engines are built ahead and kept."""

from export.export_target import ExportTarget

# The standard file; `export.runtime.tensorrt_cache` says where its engine is kept. What TensorRT leaves, CUDA runs.
# There is no strict float32: TensorRT multiplies in TF32 where it likes, and its provider has no option against that.
TARGET = ExportTarget(
    name="gpu_tensorrt",
    precisions=("tf32", "float16"),
    description="For NVIDIA GPUs by ONNX Runtime's TensorRT provider; `zoo warm` builds and keeps the engine ahead.",
    oldest_runtime="1.22",
    providers=("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
)

"""The file for ONNX Runtime's CUDA provider, in one of four precisions."""

from export.export_target import ExportTarget

# float32 is strict: products are not rounded to TF32; tf32 is the same graph with that rounding allowed. In the 16-bit
# files weights and activations have 16 bits, while inputs, logits and what modules declare as float32 stay so.
TARGET = ExportTarget(
    name="gpu_cuda",
    precisions=("float32", "tf32", "float16", "bfloat16"),
    description="For NVIDIA GPUs by ONNX Runtime's CUDA provider, in float32 (strict), tf32, float16 or bfloat16.",
    oldest_runtime="1.22",
    providers=("CUDAExecutionProvider", "CPUExecutionProvider"),
)

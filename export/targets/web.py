"""The file for browsers: what onnxruntime-web runs by WebAssembly and, on a GPU, by WebGPU."""

from export.export_target import ExportTarget

# Opset and IR as for `portable`; run with onnxruntime-web 1.30.0. Its WebAssembly build has every operator of the CPU.
# Its WebGPU kernels were found to cover SALU, SWALU and FleS written out, with convolutions and with attention; the
# page asks for all operators on the GPU or an error. float32, since WebGPU has float16 only where the device offers it.
TARGET = ExportTarget(
    name="web",
    description="For browsers: standard operators in float32 for onnxruntime-web; --page writes a page as well.",
    oldest_runtime="1.22",
    elsewhere="in a browser",
)

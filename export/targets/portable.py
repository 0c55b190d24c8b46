"""The file that runs everywhere: standard operators, float32, any batch size."""

from export.export_target import ExportTarget

# Opset 20 is the one PyTorch's exporter writes without converting, and the first with Gelu. IR 10 is the newest
# format that ONNX Runtime 1.22 reads (it refuses 11): a file may be served by an older one than the package installs.
# Loaded and run with 1.22.1, 1.29.0 and 1.31.1.
TARGET = ExportTarget(
    name="portable",
    description="One self-contained file of standard ONNX operators in float32, for any runtime and any batch size.",
    oldest_runtime="1.22",
)

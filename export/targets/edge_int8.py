"""The file for one processor without an accelerator, in 8-bit integers where an accuracy budget allows it."""

from export.export_target import ExportTarget

# Opset and IR as for `edge_cpu`, and the same oldest ONNX Runtime.
TARGET = ExportTarget(
    name="edge_int8",
    description="As edge_cpu in 8-bit integers: calibrated on images, refused where accuracy falls by more than a "
    "budget.",
    oldest_runtime="1.22",
    precisions=("int8",),
    own_operators=True,
)

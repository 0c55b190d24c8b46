"""The file for one processor without an accelerator: SALU and its gates as operators compiled on that machine."""

from export.export_target import ExportTarget

# Opset and IR as for `portable`. The operators need functions that ONNX Runtime has since 1.18; the oldest that this
# package installs with is newer.
TARGET = ExportTarget(
    name="edge_cpu",
    description="For ONNX Runtime on a CPU at batch size 1: operators of our own in float32, compiled where it runs.",
    oldest_runtime="1.22",
    own_operators=True,
    baseline="portable",
)

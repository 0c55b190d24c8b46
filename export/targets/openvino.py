"""The file for OpenVINO: standard operators, which its own fuser makes into one kernel per SALU."""

from export.export_target import ExportTarget

# The plain decomposed file: OpenVINO cuts a graph with operators it does not know into islands. Opset and IR as for
# `portable`; read and run with OpenVINO 2026.4. bfloat16 is the same file, computed in another precision.
TARGET = ExportTarget(
    name="openvino",
    precisions=("float32", "bfloat16"),
    description="For OpenVINO on a CPU: standard operators; in float32 unless bfloat16 is asked for.",
    oldest_runtime="1.22",
    runtime="openvino",
)

"""The engine of a file for bundle.json: the one that its target names, and how to install it."""

from typing import Any

from export.edge.engines import INSTALL, OPENVINO
from export.errors import ExportError
from export.metadata import FileMetadata
from export.runtime.engine import engine_of
from export.runtime.openvino_session import DEVICE
from export.targets import get_target

# Left to itself OpenVINO computes in bfloat16 on processors that have it.
HINTS = {"float32": "f32", "bfloat16": "bf16"}


def engine_record(file: FileMetadata) -> dict[str, Any]:
    """The engine of a file, as `export.edge.engines.open_engine` takes it, with how to "install" it.

    Args:
        file: the file's record of itself.

    Raises:
        TargetError: there is no such target here.
        ExportError: nothing is known about its runtime.
    """
    target = get_target(file.target)
    if target.runtime == "openvino":
        options = {"INFERENCE_PRECISION_HINT": HINTS[file.precision]}
        return {"package": OPENVINO, "device": DEVICE, "options": options, "install": INSTALL[OPENVINO]}
    if target.runtime != "onnxruntime":
        raise ExportError(f"A file for {target.name} runs in {target.runtime}, for which no program is written here.")
    providers = engine_of(target, file.precision).providers
    return {
        "package": "onnxruntime",
        "providers": [[name, options] for name, options in providers],
        "install": INSTALL[providers[0][0]],
    }

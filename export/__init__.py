"""Turn a model into a file that ONNX Runtime runs, prove that both agree, and run that file.

    from export import export, open_session
    result = export("salunet_c18_cifar.cifar10", "model.onnx")
    print(result.parity.summary())

Everything heavy (torch, onnx, onnxruntime) loads when a function is first used, so that `import export` costs nothing.
"""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# `python -m export.native` looks into the working directory first, where a zoo.py is the user's; see `zoo.__main__`.
if (
    sys.argv[:1] == ["-m"]
    and {"export.native", "export.runtime"} & {*sys.orig_argv}
    and not sys.flags.safe_path
    and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]
):
    del sys.path[0]

from export.errors import (
    ExportError,
    LoweringError,
    ModelMismatchError,
    OnnxFileError,
    ParityError,
    ProviderError,
    TargetError,
)

if TYPE_CHECKING:
    from export.bench.latency import measure_latency
    from export.deliver.bundle import write_bundle
    from export.deliver.triton import write_triton_repository
    from export.inputs import InputSpec, TextInputSpec
    from export.parity.parity_report import ParityReport
    from export.pipeline.export_model import ExportResult, export
    from export.pipeline.verify import validate
    from export.quantize.quantization_report import AccuracyReport
    from export.runtime.binding import BoundSession
    from export.runtime.predictor import load_predictor
    from export.runtime.profile import Profile
    from export.runtime.session import open_session
    from export.runtime.tensorrt_cache import warm
    from export.targets import list_targets

# Public name -> the module that defines it.
_LAZY = {
    "AccuracyReport": "export.quantize.quantization_report",
    "BoundSession": "export.runtime.binding",
    "ExportResult": "export.pipeline.export_model",
    "InputSpec": "export.inputs",
    "ParityReport": "export.parity.parity_report",
    "Profile": "export.runtime.profile",
    "TextInputSpec": "export.inputs",
    "export": "export.pipeline.export_model",
    "list_targets": "export.targets",
    "load_predictor": "export.runtime.predictor",
    "measure_latency": "export.bench.latency",
    "open_session": "export.runtime.session",
    "validate": "export.pipeline.verify",
    "warm": "export.runtime.tensorrt_cache",
    "write_bundle": "export.deliver.bundle",
    "write_triton_repository": "export.deliver.triton",
}

__all__ = [
    "AccuracyReport",
    "BoundSession",
    "ExportError",
    "ExportResult",
    "InputSpec",
    "LoweringError",
    "ModelMismatchError",
    "OnnxFileError",
    "ParityError",
    "ParityReport",
    "Profile",
    "ProviderError",
    "TargetError",
    "TextInputSpec",
    "export",
    "list_targets",
    "load_predictor",
    "measure_latency",
    "open_session",
    "validate",
    "warm",
    "write_bundle",
    "write_triton_repository",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'export' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

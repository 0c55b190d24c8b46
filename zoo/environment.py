"""Provenance of a result: libraries and hardware, for the record."""

import platform
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "salu-zoo",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "tokenizers",
    "torchmetrics",
    "datasets",
    "pillow",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
)


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def library_versions() -> dict[str, str]:
    """Versions of Python and of those of `PACKAGES` that are installed as packages."""
    # A source checkout that was never installed has no version of its own.
    found = {name: version_of(name) for name in PACKAGES}
    return {"python": platform.python_version()} | {name: version for name, version in found.items() if version}


def hardware(device: "torch.device") -> str:
    """The GPU's name; for the CPU its architecture, the instruction set PyTorch uses, and the number of threads."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"

"""What a result was made with: libraries and hardware, for the record."""

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
)


def library_versions() -> dict[str, str]:
    """Versions of Python and of those of `PACKAGES` that are installed as packages."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a source checkout that was never installed has no version of its own
    return installed


def hardware(device: "torch.device") -> str:
    """The GPU's name; for the CPU its architecture, the instruction set PyTorch uses, and the number of threads."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"

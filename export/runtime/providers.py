"""Execution providers: the ways to name them, which of them are here, and why one is not."""

import ctypes
import io
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime

from export.errors import ProviderError
from export.versions import runtime_distributions

# Execution providers in order of preference, each a name or (name, options).
Providers: TypeAlias = str | Sequence[str | tuple[str, Mapping[str, Any]]]

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
# Shared libraries beside ONNX Runtime that a provider lives in; loading one names the CUDA library it misses.
_LIBRARIES = {
    CUDA: "onnxruntime_providers_cuda",
    TENSORRT: "onnxruntime_providers_tensorrt",
}


class ProviderFallbackWarning(UserWarning):
    """A provider that was asked for is not in use, and the caller had allowed that."""


def provider_options(providers: Providers, tf32: bool = False) -> list[tuple[str, dict[str, str]]]:
    """Bring the ways to name providers to one form: (name, options), in order.

    Where its options say nothing about it, CUDA gets `use_tf32`, from `tf32`, since ONNX Runtime's own default is on;
    and OpenVINO gets the CPU and float32, since it would choose bfloat16 on processors that have it.

    Raises:
        ProviderError: an entry is neither a name nor (name, options).
    """
    usual = {CUDA: {"use_tf32": str(int(tf32))}, OPENVINO: {"device_type": "CPU", "precision": "FP32"}}
    found = []
    for entry in [providers] if isinstance(providers, str) else providers:
        name, options = (entry, {}) if isinstance(entry, str) else _pair(entry)
        given = {str(key): str(value) for key, value in options.items()}
        found.append((name, usual.get(name, {}) | given))
    return found


def _pair(entry: Any) -> tuple[str, Mapping[str, Any]]:
    match entry:
        case (str() as name, Mapping() as options):
            return name, options
    raise ProviderError(f"{entry!r} is no execution provider: give its name, or a tuple (name, options).")


def available(wanted: list[tuple[str, dict[str, str]]], allow_fallback: bool) -> list[tuple[str, dict[str, str]]]:
    """The wanted providers that this build of ONNX Runtime has; none left means the CPU."""
    offered = onnxruntime.get_available_providers()
    wheels, names = runtime_distributions(), [name for name, _ in wanted]
    if len(wheels) > 1 and any(name != CPU for name in names):
        both = " and ".join(f"{name} {version}" for name, version in wheels.items())
        raise ProviderError(
            f"{both} are installed together; they overwrite each other's files, so {', '.join(names)} cannot be "
            f"relied on. Run: pip uninstall -y {' '.join(wheels)}, then install the one you need."
        )
    missing = [name for name in names if name not in offered]
    if missing:
        refuse_missing(missing, f"ONNX Runtime {onnxruntime.__version__} does not have it", allow_fallback)
    return [(name, options) for name, options in wanted if name in offered] or [(CPU, {})]


def refuse_missing(names: list[str], reason: str, allow_fallback: bool) -> None:
    """Say that providers are not to be had: an error, or a warning where the caller allows the CPU.

    Raises:
        ProviderError: `allow_fallback` is off.
    """
    text = f"{', '.join(names)} was asked for, but {reason}."
    if not allow_fallback:
        raise ProviderError(f"{text} {advice()}")
    warnings.warn(f"{text} Continuing without.", ProviderFallbackWarning, stacklevel=4)


def advice() -> str:
    """List the providers here, and say what to do."""
    return (
        f"Available here: {', '.join(onnxruntime.get_available_providers())} (some need libraries or a device). "
        "Choose another, or pass allow_fallback=True to accept the CPU."
    )


def why_not_started(names: list[str]) -> str:
    """Ask the system's loader why a provider's library does not load: its answer names the missing file."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    for name in names:
        for library in folder.glob(f"*{_LIBRARIES.get(name, name)}*"):
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                return f"it did not start: {error}"
    return "ONNX Runtime could not start it: no such device, or a library of another version"


def load_cuda() -> None:
    """Make the CUDA libraries of NVIDIA's pip packages known; a failure shows up as a provider that did not start."""
    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()):  # it prints a page about each library it does not find
            onnxruntime.preload_dlls()

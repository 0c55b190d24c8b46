"""The only place that opens an ONNX Runtime session."""

import ctypes
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from export._versions import runtime_distributions
from export.errors import OnnxFileError, ProviderError

# For annotations elsewhere; sessions are made here only.
Session: TypeAlias = onnxruntime.InferenceSession  # noqa: TID251

CPU = "CPUExecutionProvider"
# Shared libraries beside ONNX Runtime that a provider lives in; loading one names the CUDA library it misses.
_LIBRARIES = {
    "CUDAExecutionProvider": "onnxruntime_providers_cuda",
    "TensorrtExecutionProvider": "onnxruntime_providers_tensorrt",
}
# ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal. Ours are raised, so only errors print.
_ERROR, _FATAL, _DEFAULT_SEVERITY = 3, 4, 2
_BAD_FILE = (
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.NoSuchFile,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.Fail,
)


class ProviderFallbackWarning(UserWarning):
    """A provider that was asked for is not in use, and the caller had allowed that."""


def open_session(
    model: str | Path | bytes,
    providers: str | Sequence[str] | None = None,
    *,
    allow_fallback: bool = False,
    threads: int | None = None,
    spin: bool = True,
    optimize: bool = True,
    log_severity: int = _ERROR,
) -> Session:
    """Open an ONNX file on exactly the execution providers asked for.

    Operators a provider does not know still run on the CPU, as ONNX Runtime always does; what is refused is that a
    whole provider is missing without a word.

    Args:
        model: a file, or its bytes.
        providers: names such as "CUDAExecutionProvider", in order of preference; None means the CPU.
        allow_fallback: continue on the CPU, with a `ProviderFallbackWarning`, where a provider is not to be had.
        threads: threads within one operator; None lets ONNX Runtime take all cores.
        spin: let waiting threads spin: lower latency, but the cores are busy between operators.
        optimize: let ONNX Runtime rewrite the graph.
        log_severity: least severity ONNX Runtime prints, 0 (verbose) to 4 (fatal).

    Returns:
        The session; `get_providers()` lists what it runs on.

    Raises:
        ProviderError: a provider is unknown, not installed or does not start.
        OnnxFileError: the file is missing, is not ONNX, is truncated, or too new for this ONNX Runtime.
    """
    wanted = [providers] if isinstance(providers, str) else list(providers or [CPU])
    usable = _available(wanted, allow_fallback)
    if isinstance(model, str | Path) and not Path(model).is_file():
        raise OnnxFileError(f"There is no file {Path(model).absolute()}. Export one: zoo export MODEL --output FILE.")
    options = _options(threads, spin, optimize, log_severity)
    session = _create(model, options, usable)
    missing = [name for name in usable if name not in session.get_providers()]
    if missing:
        _missing(missing, _why_not_started(missing), allow_fallback)
    return session


def _options(threads: int | None, spin: bool, optimize: bool, log_severity: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = log_severity
    options.use_deterministic_compute = True
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _create(model: str | Path | bytes, options: onnxruntime.SessionOptions, providers: list[str]) -> Session:
    name = "The model" if isinstance(model, bytes) else str(model)
    accelerated = [provider for provider in providers if provider != CPU]
    if accelerated:
        _load_cuda()
    with _silent(bool(accelerated)):
        try:
            return onnxruntime.InferenceSession(  # noqa: TID251 the one place
                model if isinstance(model, bytes) else str(model), options, providers=providers, enable_fallback=0
            )
        except _BAD_FILE as error:
            raise OnnxFileError(
                f"{name} does not load in ONNX Runtime {onnxruntime.__version__}: {_reason(error)}. It is not an ONNX "
                "file, it is truncated, or it needs a newer ONNX Runtime."
            ) from error
        except (RuntimeError, ValueError) as error:
            raise ProviderError(f"{', '.join(providers)} did not start: {_reason(error)}. {_advice()}") from error


def _available(wanted: list[str], allow_fallback: bool) -> list[str]:
    """The wanted providers that this build of ONNX Runtime has; none left means the CPU."""
    offered = onnxruntime.get_available_providers()
    wheels = runtime_distributions()
    if len(wheels) > 1 and any(name != CPU for name in wanted):
        both = " and ".join(f"{name} {version}" for name, version in wheels.items())
        raise ProviderError(
            f"{both} are installed together; they overwrite each other's files, so {', '.join(wanted)} cannot be "
            f"relied on. Run: pip uninstall -y {' '.join(wheels)}, then install the one you need."
        )
    missing = [name for name in wanted if name not in offered]
    if missing:
        _missing(missing, f"ONNX Runtime {onnxruntime.__version__} does not have it", allow_fallback)
    return [name for name in wanted if name in offered] or [CPU]


def _missing(names: list[str], reason: str, allow_fallback: bool) -> None:
    text = f"{', '.join(names)} was asked for, but {reason}."
    if not allow_fallback:
        raise ProviderError(f"{text} {_advice()}")
    warnings.warn(f"{text} Continuing without.", ProviderFallbackWarning, stacklevel=4)


def _advice() -> str:
    return (
        f"Available here: {', '.join(onnxruntime.get_available_providers())} (some need libraries or a device). "
        "Choose another, or pass allow_fallback=True to accept the CPU."
    )


def _why_not_started(names: list[str]) -> str:
    """Ask the system's loader why a provider's library does not load: its answer names the missing file."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    for name in names:
        for library in folder.glob(f"*{_LIBRARIES.get(name, name)}*"):
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                return f"it did not start: {error}"
    return "ONNX Runtime could not start it: no such device, or a library of another version"


def _load_cuda() -> None:
    """Make the CUDA libraries of NVIDIA's pip packages known; a failure shows up as a provider that did not start."""
    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()):  # it prints a page about each library it does not find
            onnxruntime.preload_dlls()


@contextmanager
def _silent(active: bool) -> Iterator[None]:
    """Keep ONNX Runtime's own lines about a provider off the terminal; what they say is raised."""
    if active:
        onnxruntime.set_default_logger_severity(_FATAL)
    try:
        yield
    finally:
        if active:
            onnxruntime.set_default_logger_severity(_DEFAULT_SEVERITY)


def _reason(error: Any) -> str:
    """ONNX Runtime's message without its code prefix, on one line."""
    return " ".join(str(error).rsplit(" : ", 1)[-1].split()).rstrip(".")[:300]

"""The only place that opens an ONNX Runtime session."""

import ctypes
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from export._versions import runtime_distributions
from export.errors import ExportError, OnnxFileError, ProviderError

# For annotations elsewhere; sessions are made here only.
Session: TypeAlias = onnxruntime.InferenceSession  # noqa: TID251
# Execution providers in order of preference, each a name or (name, options).
Providers: TypeAlias = str | Sequence[str | tuple[str, Mapping[str, Any]]]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# What ONNX Runtime raises of its own derives from `Exception` directly; its Python binding adds RuntimeError.
ORT_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
)
# A session that does not start also raises ValueError, for provider options of a wrong form.
_START_ERRORS: tuple[type[Exception], ...] = (*ORT_ERRORS, ValueError)
# Shared libraries beside ONNX Runtime that a provider lives in; loading one names the CUDA library it misses.
_LIBRARIES = {
    CUDA: "onnxruntime_providers_cuda",
    "TensorrtExecutionProvider": "onnxruntime_providers_tensorrt",
}
# ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal. Ours are raised, so only errors print.
_ERROR, _FATAL, _DEFAULT_SEVERITY = 3, 4, 2


class ProviderFallbackWarning(UserWarning):
    """A provider that was asked for is not in use, and the caller had allowed that."""


def open_session(
    model: str | Path | bytes,
    providers: Providers | None = None,
    *,
    allow_fallback: bool = False,
    tf32: bool = False,
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
        providers: names such as "CUDAExecutionProvider" or pairs (name, options), in order of preference; None means
            the CPU.
        allow_fallback: continue on the CPU, with a `ProviderFallbackWarning`, where a provider is not to be had.
        tf32: let CUDA round the inputs of float32 products to TF32: faster, and off by about 1e-3.
        threads: threads within one operator; None lets ONNX Runtime take all cores.
        spin: let waiting threads spin: lower latency, but the cores are busy between operators.
        optimize: let ONNX Runtime rewrite the graph.
        log_severity: least severity ONNX Runtime prints, 0 (verbose) to 4 (fatal).

    Returns:
        The session; `get_providers()` lists what it runs on.

    Raises:
        ProviderError: a provider is unknown, not installed, does not start or does not take its options.
        OnnxFileError: the file is missing, is not ONNX, is truncated, or too new for this ONNX Runtime.
    """
    wanted = provider_options(providers or CPU, tf32)
    usable = _available(wanted, allow_fallback)
    if isinstance(model, str | Path) and not Path(model).is_file():
        raise OnnxFileError(f"There is no file {Path(model).absolute()}. Run: zoo export MODEL --output FILE.onnx.")
    options = _options(threads, spin, optimize, log_severity)
    session = _create(model, options, usable)
    missing = [name for name, _ in usable if name not in session.get_providers()]
    if missing:
        _missing(missing, _why_not_started(missing), allow_fallback)
    return session


def run_session(
    session: Session, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
) -> list[NDArray[Any]]:
    """Run a session once.

    Args:
        session: from `open_session`.
        feeds: each input by its name.
        outputs: names of the outputs wanted; None means all.

    Raises:
        ExportError: ONNX Runtime gave up.
    """
    try:
        return [np.asarray(value) for value in session.run(outputs, dict(feeds))]
    except ORT_ERRORS as error:
        shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} on {', '.join(session.get_providers())} stopped at {shapes}: "
            f"{_reason(error)}. If memory ran out, use a smaller batch."
        ) from error


def provider_options(providers: Providers, tf32: bool = False) -> list[tuple[str, dict[str, str]]]:
    """Bring the ways to name providers to one form: (name, options), in order.

    CUDA gets `use_tf32`, from `tf32`, unless its options say something about it: ONNX Runtime's own default is on.

    Raises:
        ProviderError: an entry is neither a name nor (name, options).
    """
    found = []
    for entry in [providers] if isinstance(providers, str) else providers:
        name, options = (entry, {}) if isinstance(entry, str) else _pair(entry)
        given = {str(key): str(value) for key, value in options.items()}
        found.append((name, {"use_tf32": str(int(tf32))} | given if name == CUDA else given))
    return found


def _pair(entry: Any) -> tuple[str, Mapping[str, Any]]:
    match entry:
        case (str() as name, Mapping() as options):
            return name, options
    raise ProviderError(f"{entry!r} is no execution provider: give its name, or a tuple (name, options).")


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


def _create(
    model: str | Path | bytes, options: onnxruntime.SessionOptions, providers: list[tuple[str, dict[str, str]]]
) -> Session:
    """Start a session; a failure is the providers' if the same model starts on the CPU without them."""
    plain: list[tuple[str, dict[str, str]]] = [(CPU, {})]
    accelerated = any(name != CPU for name, _ in providers)
    if accelerated:
        _load_cuda()
    with _silent(accelerated):
        try:
            return _start(model, options, providers)
        except _START_ERRORS as error:
            failure, reason = error, _reason(error)
        if providers != plain:
            try:
                _start(model, options, plain)
            except _START_ERRORS as error:
                reason = _reason(error)
            else:
                names = ", ".join(name for name, _ in providers if name != CPU) or CPU
                raise ProviderError(f"{names} did not start: {reason}. {_advice()}") from failure
    raise OnnxFileError(
        f"{'The model' if isinstance(model, bytes) else model} does not load in ONNX Runtime "
        f"{onnxruntime.__version__}: {reason}. It is not an ONNX file, it is truncated, or it needs a newer ONNX "
        "Runtime."
    ) from failure


def _start(
    model: str | Path | bytes, options: onnxruntime.SessionOptions, providers: list[tuple[str, dict[str, str]]]
) -> Session:
    return onnxruntime.InferenceSession(  # noqa: TID251 the one place
        model if isinstance(model, bytes) else str(model), options, providers=providers, enable_fallback=0
    )


def _available(wanted: list[tuple[str, dict[str, str]]], allow_fallback: bool) -> list[tuple[str, dict[str, str]]]:
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
        _missing(missing, f"ONNX Runtime {onnxruntime.__version__} does not have it", allow_fallback)
    return [(name, options) for name, options in wanted if name in offered] or [(CPU, {})]


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

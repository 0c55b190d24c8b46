"""The only place that opens an ONNX Runtime session."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from export.digest import check_unchanged
from export.edge.feeds import misfit
from export.errors import ExportError, InputError, OnnxFileError, ProviderError
from export.native.operator_identity import check_properties
from export.operators.operator_table import DOMAIN, OP_VERSION
from export.runtime.providers import (
    CPU,
    Providers,
    advice,
    available,
    load_cuda,
    provider_options,
    refuse_missing,
    why_not_started,
)
from zoo.errors import NativeError

# For annotations: with OpenVINO's and TensorRT's, all that have the methods of a session.
Session: TypeAlias = onnxruntime.InferenceSession  # noqa: TID251
# What ONNX Runtime raises of its own derives from `Exception` directly; its Python binding adds RuntimeError.
ORT_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
)
# A session that does not start also raises ValueError, for provider options of a wrong form.
_START_ERRORS: tuple[type[Exception], ...] = (*ORT_ERRORS, ValueError)
# ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal. Ours are raised, so only errors print.
_ERROR, _FATAL, _DEFAULT_SEVERITY = 3, 4, 2


class CheckedSession(onnxruntime.InferenceSession):  # type: ignore[misc]  # noqa: TID251 sessions are made here only
    """A session of ONNX Runtime whose `run` says what the file takes where it is given something else."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None) -> Any:
        """As ONNX Runtime's.

        Raises:
            InputError: an input is missing, empty, or of another type, layout or shape than the file takes.
        """
        check_feeds(self.get_inputs(), input_feed)
        return super().run(output_names, input_feed, run_options)


def check_feeds(inputs: Sequence[Any], feeds: Mapping[str, Any]) -> None:
    """Compare inputs with what a file takes; see `export.edge.feeds`.

    Raises:
        InputError: they do not fit.
    """
    wrong = misfit(inputs, feeds)
    if wrong is not None:
        raise InputError(wrong)


def open_session(
    model: str | Path | bytes,
    providers: Providers | None = None,
    *,
    allow_fallback: bool = False,
    tf32: bool = False,
    threads: int | None = None,
    spin: bool = True,
    optimize: bool = True,
    arranged: bool = True,
    log_severity: int = _ERROR,
) -> Session:
    """Open an ONNX file on exactly the execution providers asked for.

    A file with operators of ours (targets `edge_cpu` and `edge_int8`) gets them compiled on first use, see
    `export.native`; on the CPU it runs in ONNX Runtime's own layouts, see `export.layouts.arranged_file`.

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
        arranged: bring a file with operators of ours into this machine's layout, and keep that for the next time; not
            worth it where the bytes are opened once.
        log_severity: least severity ONNX Runtime prints, 0 (verbose) to 4 (fatal).

    Returns:
        The session; `get_providers()` lists what it runs on. Its `run` raises an `InputError` that names what the file
        takes.

    Raises:
        ProviderError: a provider is unknown, not installed, does not start or does not take its options.
        OnnxFileError: the file is missing, is not ONNX, is truncated, or too new for this ONNX Runtime.
        ChangedFileError: the file was changed since it was exported; a file without our digest runs.
        NativeError: the file needs our operators, and they cannot be compiled or loaded, or are of another version.
    """
    wanted = provider_options(providers or CPU, tf32)
    usable = available(wanted, allow_fallback)
    if isinstance(model, str | Path) and not Path(model).is_file():
        raise OnnxFileError(f"There is no file {Path(model).absolute()}. Run: zoo export MODEL --output FILE.onnx.")
    check_unchanged(model)
    options, name = _options(threads, spin, optimize, log_severity), _called(model)
    try:
        session = _create(model, options, usable)
        check_properties(_properties(session, name), name)
    except OnnxFileError as error:
        if f"{DOMAIN}:" not in str(error):
            raise
        session = _create_with_operators(model, options, usable, optimize and arranged)
    missing = [name for name, _ in usable if name not in session.get_providers()]
    if missing:
        refuse_missing(missing, why_not_started(missing), allow_fallback)
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
        InputError: an input is not what the file takes.
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
        load_cuda()
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
                raise ProviderError(f"{names} did not start: {reason}. {advice()}") from failure
    raise _not_loading(model, reason) from failure


def _not_loading(model: str | Path | bytes, reason: str) -> OnnxFileError:
    return OnnxFileError(
        f"{_called(model)} does not load in ONNX Runtime {onnxruntime.__version__}: {reason}. It is not an ONNX file, "
        "it is truncated, or it needs a newer ONNX Runtime."
    )


def _create_with_operators(
    model: str | Path | bytes,
    options: onnxruntime.SessionOptions,
    providers: list[tuple[str, dict[str, str]]],
    arrange: bool,
) -> Session:
    """Start a session on a file with our operators: compiled on this machine, and on the CPU in its own layout."""
    content = model if isinstance(model, bytes) else Path(model).read_bytes()
    _check_declared(content, _called(model))
    # Only such files need a compiler, the cache and the layouts.
    from export.layouts.arranged_file import arranged_for_this_machine
    from export.native import register

    library = register(options)
    if arrange and [name for name, _ in providers] == [CPU]:
        try:
            arranged = arranged_for_this_machine(content, library)
        except ORT_ERRORS as error:
            raise _not_loading(model, _reason(error)) from error
        if arranged is not None:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            model = arranged
    return _create(model, options, providers)


def _check_declared(content: bytes, name: str) -> None:
    """Refuse operators of another version than ours before anything is made of the file.

    Raises:
        OnnxFileError: the file is damaged, or of a newer format.
        NativeError: it was made for other operators.
    """
    try:
        model = onnx.load_from_string(content)
        check_properties({prop.key: prop.value for prop in model.metadata_props}, name)
    except (DecodeError, UnicodeDecodeError) as error:
        raise OnnxFileError(f"{name} is damaged: {error}. Export the model again.") from error
    other = sorted({opset.version for opset in model.opset_import if opset.domain == DOMAIN} - {OP_VERSION})
    if other:
        raise NativeError(
            f"{name} needs version {other[0]} of the operators {DOMAIN}; this release has version {OP_VERSION}. "
            "Install the release of salu-zoo that wrote the file, or export the model again."
        )


def _properties(session: Session, name: str) -> dict[str, str]:
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        raise OnnxFileError(f"{name} has damaged metadata: {error}. Export the model again.") from error


def _called(model: str | Path | bytes) -> str:
    return "The model" if isinstance(model, bytes) else str(model)


def _start(
    model: str | Path | bytes, options: onnxruntime.SessionOptions, providers: list[tuple[str, dict[str, str]]]
) -> Session:
    return CheckedSession(
        model if isinstance(model, bytes) else str(model), options, providers=providers, enable_fallback=0
    )


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

"""Opening a model on exactly the engine its file was made for: a missing one is an error, never replaced."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeError
from .feeds import misfit

Feeds = Mapping[str, NDArray[Any]]
Run = Callable[[Feeds], NDArray[Any]]
_CUDA = ("CUDAExecutionProvider", "TensorrtExecutionProvider")


def open_engine(file: Path, engine: Mapping[str, Any], libraries: Sequence[Path] = (), threads: int = 0) -> Run:
    """Open a model.

    Args:
        file: the ONNX file.
        engine: {"package": "onnxruntime", "providers": [[name, options], ...]} or {"package": "openvino", "device":
            name, "options": {...}}, as bundle.json has it.
        libraries: with operators of our own.
        threads: of one operator on a CPU; 0 leaves it to the engine.

    Returns:
        A function from the inputs by name to the logits; it raises EdgeError for inputs that the file does not take.

    Raises:
        EdgeError: the engine or its provider is not installed or does not start, or the file does not load.
    """
    if engine["package"] == "openvino":
        return _openvino(file, engine, libraries, threads)
    return _onnxruntime(file, engine, libraries, threads)


def _onnxruntime(file: Path, engine: Mapping[str, Any], libraries: Sequence[Path], threads: int) -> Run:
    try:
        import onnxruntime
    except ImportError as error:
        raise EdgeError(f"This model runs on ONNX Runtime, which is missing: {engine['install']}.") from error
    wanted = [(name, dict(options)) for name, options in engine["providers"]]
    absent = [name for name, _ in wanted if name not in onnxruntime.get_available_providers()]
    if absent:
        offered = ", ".join(onnxruntime.get_available_providers())
        raise EdgeError(
            f"This model was made for {absent[0]}, which ONNX Runtime {onnxruntime.__version__} here does not have "
            f"(it has {offered}). Install it: {engine['install']}."
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    if wanted[0][0] in _CUDA and hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()):  # it prints a page about each library it does not find
            onnxruntime.preload_dlls()
    try:
        for library in libraries:
            options.register_custom_ops_library(str(library))
        session = onnxruntime.InferenceSession(  # noqa: TID251 there is no `export` where this runs
            str(file), options, providers=wanted, enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime's own share no class
        where = f"ONNX Runtime {onnxruntime.__version__} does not open {file.name} on {wanted[0][0]}"
        raise EdgeError(f"{where}: {_line(error)} To install it: {engine['install']}.") from error
    silent = [name for name, _ in wanted if name not in session.get_providers()]
    if silent:
        raise EdgeError(f"{silent[0]} did not start: no device, or libraries are missing: {engine['install']}.")
    return _checked(session.get_inputs(), lambda feeds: session.run(None, dict(feeds))[0])


def _openvino(file: Path, engine: Mapping[str, Any], libraries: Sequence[Path], threads: int) -> Run:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import openvino
    except ImportError as error:
        raise EdgeError(f"This model runs on OpenVINO, which is missing: {engine['install']}.") from error
    if libraries:
        raise EdgeError(f"{file.name} holds operators of our own, which OpenVINO does not have. Export another target.")
    core = openvino_core()
    if engine["device"] not in core.available_devices:
        raise EdgeError(f"OpenVINO has no {engine['device']} here, only {', '.join(core.available_devices)}.")
    options = dict(engine["options"]) | ({"INFERENCE_NUM_THREADS": threads} if threads else {})
    try:
        compiled = core.compile_model(core.read_model(str(file)), engine["device"], options)
    except RuntimeError as error:
        raise EdgeError(f"OpenVINO {openvino.__version__} does not open {file.name}: {_line(error)}") from error
    inputs = [_port(port) for port in compiled.inputs]
    return _checked(inputs, lambda feeds: compiled(dict(feeds))[compiled.output(0)])


@cache
def openvino_core() -> Any:
    """OpenVINO's core: one for the process, for good.

    Each sets the thread's stack for signals. Two that end in the order in which they began leave it at memory that is
    gone, and the next signal, such as of a child that ends, kills the process.
    """
    import openvino

    return openvino.Core()


def _port(port: Any) -> SimpleNamespace:
    """An input of OpenVINO as ONNX Runtime would describe it."""
    shape = [int(size.get_length()) if size.is_static else None for size in port.get_partial_shape()]
    kind = {"f32": "float", "i64": "int64"}.get(port.get_element_type().get_type_name(), "")
    return SimpleNamespace(name=port.get_any_name(), type=f"tensor({kind})", shape=shape)


def _checked(inputs: Sequence[Any], run: Run) -> Run:
    """`run` behind a comparison of what it is given with what the file takes."""

    def checked(feeds: Feeds) -> NDArray[Any]:
        wrong = misfit(inputs, feeds)
        if wrong is not None:
            raise EdgeError(wrong)
        return np.asarray(run(feeds))

    return checked


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

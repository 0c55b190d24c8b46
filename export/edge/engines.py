"""Opening a model on exactly the engine its file was made for: a missing one is an error, never replaced."""

import io
import os
import sys
import tempfile
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
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
OPENVINO, _DEVICE = "openvino", "CPU"
# The wheels of ONNX Runtime with and without CUDA overwrite each other.
_GPU_WHEEL = "pip uninstall onnxruntime; pip install onnxruntime-gpu[cuda,cudnn]"
INSTALL = {
    CPU: "pip install onnxruntime",
    CUDA: _GPU_WHEEL,
    TENSORRT: f"{_GPU_WHEEL} tensorrt",
    OPENVINO: "pip install openvino",
}
# What an export writes, and all that is passed on: other options name files to write and libraries to load.
_SWITCH = ("0", "1")
_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    CPU: {},
    CUDA: {"use_tf32": _SWITCH},
    TENSORRT: {"trt_fp16_enable": _SWITCH},
    OPENVINO: {"INFERENCE_PRECISION_HINT": ("f32", "bf16")},
}
# Of protobuf, in which ONNX is written: the field of the functions; bytes of a value by its form.
_FUNCTIONS, _WIDTHS = 25, {0: 0, 1: 8, 2: 0, 5: 4}


def open_engine(file: bytes, engine: Mapping[str, Any], libraries: Sequence[Path] = (), threads: int = 0) -> Run:
    """Open a model.

    Args:
        file: the content of the ONNX file.
        engine: {"package": "onnxruntime", "providers": [[name, options], ...]} or {"package": "openvino", "device":
            name, "options": {...}}, as bundle.json has it.
        libraries: with operators of our own.
        threads: of one operator on a CPU; 0 leaves it to the engine.

    Returns:
        A function from the inputs by name to the logits; it raises EdgeError for inputs that the file does not take.

    Raises:
        EdgeError: the engine or its provider is not installed or does not start, or the file does not load.
    """
    wanted = _wanted(engine)
    if _has_functions(file):
        raise EdgeError("The model holds functions, which no export writes. Take the folder from where it was made.")
    if wanted[0][0] == OPENVINO:
        return _openvino(file, wanted[0][1], libraries, threads)
    return _onnxruntime(file, wanted, libraries, threads)


def _has_functions(model: bytes) -> bool:
    """True for ONNX with functions, which can call each other so often that no memory holds the graph."""
    place = 0

    def number() -> int:
        nonlocal place
        bits: list[int] = []
        while not bits or bits[-1] > 127:
            bits.append(model[place])
            place += 1
        return sum((byte & 127) << 7 * n for n, byte in enumerate(bits[:10]))

    try:
        while place < len(model):
            field, form = divmod(number(), 8)
            if field == _FUNCTIONS:
                return True
            if form not in _WIDTHS:
                break
            size = number() if form in (0, 2) else _WIDTHS[form]
            place += size if form else 0
    except IndexError:
        return False  # truncated, which the engine refuses
    return False


def _wanted(engine: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The providers of ONNX Runtime in order, or OpenVINO, each with its options."""
    try:
        if engine["package"] == OPENVINO:
            asked = [(OPENVINO, dict(engine["options"]))]
            known = engine["device"] == _DEVICE
        else:
            asked = [(str(name), dict(options)) for name, options in engine["providers"]]
            known = engine["package"] == "onnxruntime" and bool(asked) and OPENVINO not in dict(asked)
        known &= all(value in _OPTIONS[name][key] for name, options in asked for key, value in options.items())
        known &= set(dict(asked)) <= set(_OPTIONS)
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise EdgeError(
            f"bundle.json asks for the engine {str(dict(engine))[:300]!r}, which no export writes: its options could "
            "name files to write and libraries to load. Take the folder from where it was made."
        )
    return asked


def _onnxruntime(file: bytes, wanted: list[tuple[str, dict[str, str]]], libraries: Sequence[Path], threads: int) -> Run:
    install = INSTALL[wanted[0][0]]
    try:
        import onnxruntime
    except ImportError as error:
        raise EdgeError(f"This model runs on ONNX Runtime, which is missing: {install}.") from error
    absent = [name for name, _ in wanted if name not in onnxruntime.get_available_providers()]
    if absent:
        offered = ", ".join(onnxruntime.get_available_providers())
        raise EdgeError(
            f"This model was made for {absent[0]}, which ONNX Runtime {onnxruntime.__version__} here does not have "
            f"(it has {offered}). Install it: {install}."
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Weights that a model names in another file are not listed in the folder: they are looked for where nothing is.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", f"{os.devnull}/none")
    if wanted[0][0] != CPU and hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()):  # it prints a page about each library it does not find
            onnxruntime.preload_dlls()
    try:
        for library in libraries:
            options.register_custom_ops_library(str(library))
        session = onnxruntime.InferenceSession(  # noqa: TID251 there is no `export` where this runs
            file, options, providers=wanted, enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime's own share no class
        where = f"ONNX Runtime {onnxruntime.__version__} does not open the model on {wanted[0][0]}"
        raise EdgeError(f"{where}: {_line(error)} To install it: {install}.") from error
    silent = [name for name, _ in wanted if name not in session.get_providers()]
    if silent:
        raise EdgeError(f"{silent[0]} did not start: no device, or libraries are missing: {install}.")
    return _checked(session.get_inputs(), lambda feeds: session.run(None, dict(feeds))[0])


def _openvino(file: bytes, hints: Mapping[str, str], libraries: Sequence[Path], threads: int) -> Run:
    try:
        openvino = import_openvino()
    except ImportError as error:
        raise EdgeError(f"This model runs on OpenVINO, which is missing: {INSTALL[OPENVINO]}.") from error
    if libraries:
        raise EdgeError("The model holds operators of our own, which OpenVINO does not have. Export another target.")
    core = openvino_core()
    if _DEVICE not in core.available_devices:
        raise EdgeError(f"OpenVINO has no {_DEVICE} here, only {', '.join(core.available_devices)}.")
    options = dict(hints) | ({"INFERENCE_NUM_THREADS": threads} if threads else {})
    try:
        with tempfile.TemporaryDirectory() as empty:  # as for ONNX Runtime: no weights lie beside the model
            (Path(empty) / "model.onnx").write_bytes(file)
            compiled = core.compile_model(core.read_model(f"{empty}/model.onnx"), _DEVICE, options)
    except RuntimeError as error:
        raise EdgeError(f"OpenVINO {openvino.__version__} does not open the model: {_line(error)}") from error
    except OSError as error:
        raise EdgeError(f"The model finds no room in {tempfile.gettempdir()}: {error.strerror}. Set TMPDIR.") from error
    inputs = [_port(port) for port in compiled.inputs]
    return _checked(inputs, lambda feeds: compiled(dict(feeds))[compiled.output(0)])


def import_openvino() -> Any:
    """OpenVINO, which tells an analytics server of every import unless its telemetry cannot be imported either.

    A process that imported OpenVINO before keeps what it has.

    Raises:
        ImportError: it is not installed.
    """
    telemetry = "openvino_telemetry"
    hidden = telemetry not in sys.modules
    if hidden:
        sys.modules[telemetry] = None  # type: ignore[assignment] # Python's way to say that it cannot be imported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import openvino
    finally:
        if hidden:
            del sys.modules[telemetry]
    return openvino


@cache
def openvino_core() -> Any:
    """OpenVINO's core: one for the process, for good.

    Each sets the thread's stack for signals. Two that end in the order in which they began leave it at memory that is
    gone, and the next signal, such as of a child that ends, kills the process.
    """
    return import_openvino().Core()


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

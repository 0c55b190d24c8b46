"""Running a file in OpenVINO, behind the few methods of an ONNX Runtime session that this package uses."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.digest import check_unchanged
from export.edge import engines
from export.edge.engines import import_openvino, openvino_core
from export.errors import ExportError, OnnxFileError, ProviderError
from export.native.operator_identity import check_properties
from export.runtime.session import check_feeds
from export.versions import version_of

INSTALL = engines.INSTALL[engines.OPENVINO]
DEVICE = "CPU"
# Left to itself OpenVINO computes in bfloat16 on processors with AMX, and is off by 5e-3.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_NEEDS = {"float32": "FP32", "bfloat16": "BF16"}
# ONNX Runtime's names for the element types of inputs and outputs.
_TYPES = {"f32": "float", "f16": "float16", "bf16": "bfloat16", "i64": "int64", "i32": "int32", "boolean": "bool"}


@dataclass(frozen=True)
class Port:
    """An input or output: name, type and shape as ONNX Runtime gives them; a free axis is None."""

    name: str
    type: str
    shape: list[int | None]


@dataclass(frozen=True)
class Meta:
    """The metadata properties of a file."""

    custom_metadata_map: dict[str, str]


class OpenVinoSession:
    """A file compiled by OpenVINO for this processor, any batch size.

    It has the methods of an ONNX Runtime session that predictors, parity and benchmarks use. Calls from several threads
    take turns. The latency hint, one stream, the number of threads and the precision are always set. Single images run
    in a graph of that fixed size, which was measured a tenth faster with SALU; the graph for any other size is compiled
    when it is first needed.

    Args:
        model: a file, or its bytes.
        precision: "float32", or "bfloat16" on a processor that has it.
        threads: to compute with; None takes all cores this process may use.

    Raises:
        ProviderError: OpenVINO is not installed, does not compile the file, or the processor lacks the precision.
        OnnxFileError: the file is missing, is not ONNX, is truncated, or was changed since it was exported.
    """

    def __init__(self, model: str | Path | bytes, *, precision: str = "float32", threads: int | None = None) -> None:
        self.precision, self.threads = precision, threads or _cores()
        self._core = _core()
        self._check_precision()
        self._graph = _read(self._core, model)
        self._metadata = _properties(self._graph)
        check_properties(self._metadata, "The model" if isinstance(model, bytes) else str(model))
        self._lock = threading.Lock()
        self._requests: dict[bool, Any] = {}
        self._request(self._only_batch_is_free())

    @property
    def runtime(self) -> str:
        """Name and version, for the record of a result."""
        return f"openvino {version()}"

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run once.

        Args:
            outputs: names of the outputs wanted; None means all.
            feeds: each input by its name.

        Raises:
            InputError: an input is not what the file takes.
            ExportError: OpenVINO gave up, or has no such output.
        """
        check_feeds(self.get_inputs(), feeds)
        try:
            with self._lock:
                found = self._request(self._is_single(feeds)).infer(dict(feeds), share_inputs=True)
                values = [np.array(found[position]) for position in self._wanted(outputs)]
        except (RuntimeError, TypeError, KeyError) as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ExportError(f"OpenVINO {version()} stopped at {shapes}: {_reason(error)}.") from error
        return values

    def get_inputs(self) -> list[Port]:
        """The inputs in order."""
        return [_port(port) for port in self._graph.inputs]

    def get_outputs(self) -> list[Port]:
        """The outputs in order."""
        return [_port(port) for port in self._graph.outputs]

    def get_providers(self) -> list[str]:
        """Return the device and the precision it runs in."""
        return [f"OpenVINO {DEVICE} ({_HINTS[self.precision]})"]

    def get_modelmeta(self) -> Meta:
        """The metadata properties of the file."""
        return Meta(self._metadata)

    def setting(self, name: str) -> Any:
        """Return a setting of OpenVINO after compilation, such as "INFERENCE_NUM_THREADS"."""
        return next(iter(self._requests.values())).get_compiled_model().get_property(name)

    def _request(self, single: bool) -> Any:
        """Return the compiled request for a single image, or for any batch; compiled on first use."""
        if single not in self._requests:
            graph = self._graph.clone() if single else self._graph
            if single:
                graph.reshape({port: [1, *port.get_partial_shape()[1:]] for port in graph.inputs})
            settings = {
                "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": self.threads,
                "NUM_STREAMS": 1,
            }
            try:
                compiled = self._core.compile_model(graph, DEVICE, settings)
            except RuntimeError as error:
                raise ProviderError(f"OpenVINO {version()} does not compile the file: {_reason(error)}.") from error
            self._requests[single] = compiled.create_infer_request()
        return self._requests[single]

    def _only_batch_is_free(self) -> bool:
        shapes = [port.get_partial_shape() for port in self._graph.inputs]
        return all(not shape[0].is_static and all(size.is_static for size in list(shape)[1:]) for shape in shapes)

    def _is_single(self, feeds: Mapping[str, NDArray[Any]]) -> bool:
        return self._only_batch_is_free() and all(value.ndim and len(value) == 1 for value in feeds.values())

    def _wanted(self, outputs: Sequence[str] | None) -> list[int]:
        """Positions of outputs; a value that an optimiser merged with another goes by both names."""
        positions = {name: i for i, port in enumerate(self._graph.outputs) for name in port.get_names()}
        return list(range(len(self._graph.outputs))) if outputs is None else [positions[name] for name in outputs]

    def _check_precision(self) -> None:
        if self.precision not in _HINTS:
            raise ProviderError(f"OpenVINO was asked for {self.precision}; it takes {' or '.join(_HINTS)}.")
        able = self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        if _NEEDS[self.precision] not in able:
            raise ProviderError(
                f"OpenVINO was asked for {self.precision}, but this processor computes in {', '.join(able)}. "
                "Use float32."
            )


def installed() -> bool:
    """True if the package is here; it is not loaded."""
    return find_spec("openvino") is not None


def version() -> str:
    """The installed version."""
    return version_of("openvino")


def _core() -> Any:
    try:
        import_openvino()
    except ImportError as error:
        raise ProviderError(f"OpenVINO was asked for, but it does not load: {error}. Run: {INSTALL}.") from error
    return openvino_core()


def _read(core: Any, model: str | Path | bytes) -> Any:
    if isinstance(model, str | Path) and not Path(model).is_file():
        raise OnnxFileError(f"There is no file {Path(model).absolute()}. Run: zoo export MODEL --output FILE.onnx.")
    check_unchanged(model)
    content = model if isinstance(model, bytes) else Path(model).read_bytes()
    name = "The model" if isinstance(model, bytes) else str(model)
    try:
        return core.read_model(content)
    except RuntimeError as error:
        raise OnnxFileError(
            f"{name} does not load in OpenVINO {version()}: {_reason(error)}. It is not an ONNX file, it is truncated, "
            "or it holds operators that OpenVINO does not know."
        ) from error


def _properties(graph: Any) -> dict[str, str]:
    """The ONNX metadata, which OpenVINO keeps under `framework`."""
    if not graph.has_rt_info(["framework"]):
        return {}
    return {str(key): str(value) for key, value in graph.get_rt_info(["framework"]).value.items()}


def _port(port: Any) -> Port:
    shape = [int(size.get_length()) if size.is_static else None for size in port.get_partial_shape()]
    kind = port.get_element_type().get_type_name()
    return Port(port.get_any_name(), f"tensor({_TYPES.get(kind, kind)})", shape)


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reason(error: Exception) -> str:
    """The last lines of a message that begins with places in OpenVINO's sources, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return (" ".join(told or lines) or type(error).__name__).rstrip(".")[:300]

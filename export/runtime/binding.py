"""A session with inputs and outputs bound to memory of the device, for one batch size; as a CUDA graph if asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.errors import ExportError
from export.runtime.engine import engine_in_file
from export.runtime.providers import CPU, CUDA
from export.runtime.session import ORT_ERRORS, check_feeds, open_session
from zoo.errors import ConfigurationError, ShapeError

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
}


class BoundSession:
    """An exported file with buffers of one batch size on a device.

    Inputs are copied into the buffers, which stay where they are; `replay` runs again on what they hold, without any
    copy. With `cuda_graph` the first run is recorded and later ones are started as a whole, which saves the launches of
    many small kernels; ONNX Runtime refuses it where an operator has to run on the CPU. On the CPU itself binding saves
    nothing and exists for tests.

    Not for several threads at once: there is one set of buffers.

    Args:
        file: an ONNX file.
        batch: how many images or texts.
        tokens: for a text model, tokens of each text.
        device: "cuda", "cuda:1", ... or "cpu".
        cuda_graph: record the first run.
        threads: see `open_session`.

    Raises:
        ConfigurationError: another device, a CUDA graph on the CPU, or a text model without `tokens`.
        ProviderError: CUDA does not start.
        OnnxFileError: the file does not load.
    """

    def __init__(
        self,
        file: str | Path,
        batch: int = 1,
        *,
        tokens: int | None = None,
        device: str = "cuda",
        cuda_graph: bool = False,
        threads: int | None = None,
    ) -> None:
        kind, _, index = device.partition(":")
        if kind not in ("cuda", "cpu") or (cuda_graph and kind == "cpu"):
            raise ConfigurationError(f"device={device!r}, cuda_graph={cuda_graph}: give cuda, cuda:1 ... or cpu; only "
                                     "CUDA has graphs.")  # fmt: skip
        self.batch, self._place = batch, (kind, int(index or 0))
        self.session = open_session(file, _providers(file, *self._place, cuda_graph), threads=threads)
        self._sizes = {"batch": batch, "tokens": tokens}
        self._binding = self.session.io_binding()
        self._inputs = {given.name: self._buffer(given) for given in self.session.get_inputs()}
        self._outputs = {given.name: self._buffer(given) for given in self.session.get_outputs()}
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._outputs.items():
            self._binding.bind_ortvalue_output(name, value)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy a batch in, run, and copy the outputs out.

        Args:
            feeds: each input by its name, of exactly the bound shape and type.

        Raises:
            InputError: an input is not what the file takes.
            ShapeError: an input has another shape than the one bound.
            ExportError: ONNX Runtime gave up.
        """
        self._check(feeds)
        for name, bound in self._inputs.items():
            bound.update_inplace(np.ascontiguousarray(feeds[name]))
        self.replay()
        return self.outputs()

    def replay(self) -> None:
        """Run on what the buffers hold; the outputs stay on the device until `run` or `outputs` fetch them.

        Raises:
            ExportError: ONNX Runtime gave up.
        """
        try:
            self._binding.synchronize_inputs()
            self.session.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()
        except ORT_ERRORS as error:
            place = ", ".join(self.session.get_providers())
            text = " ".join(str(error).split())[:300]
            raise ExportError(f"ONNX Runtime {onnxruntime.__version__} on {place} stopped: {text}") from error

    def outputs(self) -> list[NDArray[Any]]:
        """Copies of what the outputs' buffers hold."""
        return [np.array(value.numpy()) for value in self._outputs.values()]  # on the CPU it is the buffer itself

    def _buffer(self, given: Any) -> Any:
        shape = []
        for size in given.shape:
            known = size if isinstance(size, int) else self._sizes.get(size)
            if known is None:
                raise ConfigurationError(f"{given.name} has the free axis {size!r}; give `tokens`.")
            shape.append(known)
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, _TYPES[given.type], *self._place)

    def _check(self, feeds: Mapping[str, NDArray[Any]]) -> None:
        check_feeds(self.session.get_inputs(), feeds)
        for name, bound in self._inputs.items():
            if feeds[name].shape != tuple(bound.shape()):
                raise ShapeError(
                    f"{name} is bound to {tuple(bound.shape())} and got {feeds[name].shape}. Make a BoundSession for "
                    "that batch size, or use open_session, which takes any."
                )


def _providers(file: str | Path, kind: str, index: int, cuda_graph: bool) -> list[tuple[str, dict[str, str]]]:
    """CUDA with the precision that the file names; the CPU behind it for what CUDA does not know."""
    if kind == "cpu":
        return [(CPU, {})]
    engine = engine_in_file(file)
    options = dict(engine.providers).get(CUDA, {}) if engine is not None else {}
    chosen = options | {"device_id": str(index)} | ({"enable_cuda_graph": "1"} if cuda_graph else {})
    return [(CUDA, chosen), (CPU, {})]

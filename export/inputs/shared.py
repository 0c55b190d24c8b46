"""Results that several exports of one model have in common, computed once."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import onnx_ir as ir

if TYPE_CHECKING:
    import onnx

    from export.inputs.input_spec import Feeds

T = TypeVar("T")


class Shared:
    """The traced graphs of a model by opset, and what PyTorch computes by input.

    It belongs to one model with one set of weights; see `export.inputs.source.Source.shared`.
    """

    def __init__(self) -> None:
        self._graphs: dict[tuple[int, int], onnx.ModelProto] = {}
        self._results: dict[tuple[str, str], Any] = {}

    def graph(self, opset: int, ir_version: int, trace: Callable[[], ir.Model]) -> ir.Model:
        """A graph of its own for each caller, traced once."""
        key = opset, ir_version
        if key not in self._graphs:
            self._graphs[key] = ir.to_proto(trace())
        return ir.from_proto(self._graphs[key])

    def kept(self, kind: str, given: "Feeds", run: Callable[[], T]) -> T:
        """Return PyTorch's results for one batch in one precision, computed once.

        Args:
            kind: of the arithmetic, such as "float64".
            given: all it depends on.
            run: computes it.
        """
        digest = hashlib.sha256()
        for name, value in given.items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.contiguous().numpy().data)
        key = kind, digest.hexdigest()
        if key not in self._results:
            self._results[key] = run()
        found: T = self._results[key]
        return found

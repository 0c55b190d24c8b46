"""What several exports of one model have in common, computed once."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import onnx_ir as ir
from torch import Tensor

if TYPE_CHECKING:
    import onnx

    from export.inputs import Feeds


class Shared:
    """The traced graphs of a model by opset, and PyTorch's logits by input.

    It belongs to one model with one set of weights; see `export.source.Source.shared`.
    """

    def __init__(self) -> None:
        self._graphs: dict[tuple[int, int], onnx.ModelProto] = {}
        self._logits: dict[tuple[str, str], Tensor] = {}

    def graph(self, opset: int, ir_version: int, trace: Callable[[], ir.Model]) -> ir.Model:
        """A graph of its own for each caller, traced once."""
        key = opset, ir_version
        if key not in self._graphs:
            self._graphs[key] = ir.to_proto(trace())
        return ir.from_proto(self._graphs[key])

    def logits(self, kind: str, feeds: "Feeds", run: Callable[[], Tensor]) -> Tensor:
        """Logits of one batch in one precision.

        Args:
            kind: of the arithmetic, such as "float64".
            feeds: the batch.
            run: computes them.
        """
        digest = hashlib.sha256()
        for name, value in feeds.items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.contiguous().numpy().data)
        key = kind, digest.hexdigest()
        if key not in self._logits:
            self._logits[key] = run()
        return self._logits[key]

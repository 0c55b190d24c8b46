"""State of one export, handed on from step to step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import onnx_ir as ir

from export.errors import ExportError
from export.export_target import ExportTarget
from export.inputs.source import Source
from export.parity.parity_check import Samples
from export.parity.parity_report import ParityReport
from export.quantize.work import Int8Work


@dataclass(kw_only=True)
class Job:
    """One export on its way.

    Args:
        source: the model.
        target: where the file will run.
        path: where it will be written.
        precision: what the file computes in, one of the target's.
        samples: real images or texts for the parity check, or None.
        threads: of the parity check's session.
        on_progress: called after each parity probe with how many are done and how many there are.
        graph: filled by the tracing step, changed by the passes.
        file: the serialised graph.
        parity: the report on exactly those bytes.
        int8: for 8-bit integers, what is asked and what was found.
        near_limit: nodes that come near the largest float16, if it was looked for.
    """

    source: Source
    target: ExportTarget
    path: Path
    precision: str = "float32"
    samples: Samples | None = None
    threads: int | None = None
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    graph: ir.Model | None = field(default=None, repr=False)
    file: bytes = field(default=b"", repr=False)
    parity: ParityReport | None = field(default=None, repr=False)
    near_limit: tuple[str, ...] = ()
    int8: Int8Work = field(default_factory=Int8Work)

    def need_graph(self) -> ir.Model:
        """The graph.

        Raises:
            ExportError: no earlier step made one; the plan is wrong.
        """
        if self.graph is None:
            raise ExportError(f"The plan of target {self.target.name} needs a graph before anything traced one.")
        return self.graph

    def need_parity(self) -> ParityReport:
        """The report of a check that passed.

        Raises:
            ExportError: there is none; the plan is wrong.
        """
        if self.parity is None or not self.parity.passed:
            raise ExportError(f"The plan of target {self.target.name} asks for a file that has not passed parity.")
        return self.parity

"""State of an export in 8-bit integers, handed on from step to step."""

from dataclasses import dataclass, field

import onnx_ir as ir
import torch
from torch import Tensor

from export.errors import ExportError
from export.quantize.calibration_data import CalibrationImages
from export.quantize.measured import Measured
from export.quantize.quantization_report import AccuracyReport
from export.quantize.quantized_sites import QuantizedSite
from export.quantize.ranges import Calibration
from export.quantize.request import Int8Request
from export.quantize.sensitivity import Sensitivity


@dataclass(frozen=True)
class Quantisable:
    """A proven float32 graph with what it is quantised by.

    Args:
        graph: the graph.
        sites: what can be quantised.
        calibration: the ranges.
    """

    graph: ir.Model
    sites: tuple[QuantizedSite, ...]
    calibration: Calibration


@dataclass(kw_only=True)
class Int8Work:
    """Filled step by step.

    Args:
        request: what was asked.
        images: calibration images to take ranges from.
        held_out: others, to choose and rank on.
        described: where both come from.
        evaluation: images to measure accuracy on.
        float32: the parity check of the graph before it is quantised, in one line.
        given: set by calibration.
        sensitivity: the sites, the worst first.
        accuracy: the measurement of the file within the budget.
        measured: how far the file is from float32; it becomes part of the file.
    """

    request: Int8Request = field(default_factory=Int8Request)
    images: Tensor = field(default_factory=lambda: torch.empty(0), repr=False)
    held_out: Tensor = field(default_factory=lambda: torch.empty(0), repr=False)
    described: str = ""
    evaluation: CalibrationImages | None = None
    float32: str = ""
    given: Quantisable | None = field(default=None, repr=False)
    sensitivity: tuple[Sensitivity, ...] = ()
    accuracy: AccuracyReport | None = None
    measured: Measured | None = None

    def need_given(self) -> Quantisable:
        """Return the result of calibration.

        Raises:
            ExportError: there was none; the plan is wrong.
        """
        if self.given is None:
            raise ExportError("The plan quantises a graph before anything was calibrated.")
        return self.given

    def need_evaluation(self) -> CalibrationImages:
        """The images to measure accuracy on.

        Raises:
            ExportError: none were opened; the plan is wrong.
        """
        if self.evaluation is None:
            raise ExportError("The plan measures accuracy before any images were opened.")
        return self.evaluation

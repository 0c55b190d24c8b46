"""The caller's request for an export in 8-bit integers."""

import math
from dataclasses import dataclass
from typing import Any

from export.inputs.image import InputSpec
from export.inputs.input_spec import ModelInput
from zoo.errors import ConfigurationError

ANY_ACCURACY = 100.0
"""A budget for files of random weights, which have no accuracy to lose: benchmarks and the matrix of all models."""


@dataclass(frozen=True, kw_only=True)
class Int8Request:
    """Images and budget of an export in 8-bit integers.

    Args:
        calibration: real images to take ranges from; see `export.quantize.calibration_data.calibration_images`.
        evaluation: images to measure accuracy on; see `evaluation_images`. None measures agreement with float32 on the
            calibration images.
        budget: points of accuracy the file may lose.
    """

    calibration: Any = None
    evaluation: Any = None
    budget: float | None = None

    def check(self, precision: str, given: ModelInput) -> None:
        """Refuse what cannot be done, before anything is done.

        Raises:
            ConfigurationError: int8 without a budget or for a text model; any of these for another precision.
        """
        if precision != "int8":
            if any(value is not None for value in (self.calibration, self.evaluation, self.budget)):
                raise ConfigurationError(
                    f"Calibration, evaluation images and an accuracy budget belong to int8; the file computes in "
                    f"{precision}. Leave them out, or choose --target edge_int8."
                )
            return
        if not isinstance(given, InputSpec):
            raise ConfigurationError("Int8 is there for image models; this one takes texts. Use --target edge_cpu.")
        if self.budget is None or not math.isfinite(self.budget) or self.budget < 0:
            found = "none is given" if self.budget is None else f"{self.budget} is none"
            raise ConfigurationError(
                f"Int8 needs an accuracy budget, the points of accuracy the file may lose, and {found}. Say how many: "
                "--budget 0.5. Without a file within it nothing is written."
            )

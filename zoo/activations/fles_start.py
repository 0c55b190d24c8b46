"""Start values of FleS."""

import math
from typing import Literal

from zoo.activations.channel_gate import require_finite
from zoo.errors import ConfigurationError

Start = Literal["paper", "identity"]

_PAPER = {
    "trunk_norm": 1.0,
    "vertical_bias": 0.6,
    "horizontal_bias": 0.6,
    "vertical_norm": 1e-3,
    "horizontal_norm": 1e-3,
}


def initial_values(start: Start, steepness: float = 1.0) -> dict[str, float]:
    """Return start values that are neither drawn nor 0: as published, or so that κ_ve = 1 and κ_ho = `steepness`."""
    if start == "paper":
        return _PAPER
    return {"trunk_norm": 1.0, "vertical_bias": inverse_softplus(1.0), "horizontal_bias": inverse_softplus(steepness)}


def inverse_softplus(value: float) -> float:
    """γ with softplus(γ) = value > 0; rounded to float32, that of 1 gives exactly 1 in float32."""
    return value + math.log(-math.expm1(-value))


def checked_steepness(start: Start, value: float | None) -> float:
    """κ_ho at the start "identity", 1 where none is asked for.

    Raises:
        ConfigurationError: it is not a positive number, or the start is "paper", which has its own.
    """
    if value is None:
        return 1.0
    if start == "paper":
        raise ConfigurationError(f'FleS(steepness={value!r}): start="paper" sets it. Add start="identity".')
    if require_finite("FleS", "steepness", value) <= 0:
        raise ConfigurationError(f"FleS(steepness={value!r}): steepness must be positive, as softplus is.")
    return float(value)

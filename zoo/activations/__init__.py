"""The mathematics: SALU, SWALU and GALU, what they are compared with, and what each of them learns.

`salu`, `swalu`, `galu` are functions of (x, a, b); `SALU`, `SWALU`, `GALU` are modules that own a and b.
"""

from zoo.activations.galu import GALU, galu
from zoo.activations.parameters import activation_parameters, activation_spec, parameter_specs, project_parameters
from zoo.activations.rivals import Derf, DyT, derf, dyt
from zoo.activations.salu import SALU, salu
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.activations.swalu import SWALU, swalu

__all__ = [
    "ACTIVATIONS",
    "GALU",
    "SALU",
    "SWALU",
    "ActivationSpec",
    "Derf",
    "DyT",
    "ParameterSpec",
    "activation_parameters",
    "activation_spec",
    "derf",
    "dyt",
    "galu",
    "list_activations",
    "parameter_specs",
    "project_parameters",
    "salu",
    "swalu",
]


def list_activations() -> list[str]:
    """The names of all registered activations, sorted."""
    return ACTIVATIONS.names()

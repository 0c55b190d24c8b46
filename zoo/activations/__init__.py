"""The mathematics: SALU, SWALU, GALU and FleS, what they are compared with, and what each of them learns.

`salu`, `swalu`, `galu` are functions of (x, a, b); `SALU`, `SWALU`, `GALU` are modules that own a and b. `fles` is a
function of x and its coefficients; `FleS` predicts them. The rivals of both papers are in `zoo.activations.rivals`, and
`make_gate` builds any gate by its name. `salu_swalu` and its neighbours take a stabiliser and the gate behind it
together. `with kernel("plain")` keeps all of them from using fused kernels.
"""

from zoo.activations.composites import salu_add_salu_swalu, salu_add_swalu, salu_swalu
from zoo.activations.dispatch import kernel
from zoo.activations.fles import FleS, fles
from zoo.activations.galu import GALU, galu
from zoo.activations.gates import list_gates, make_gate
from zoo.activations.parameters import activation_parameters, activation_spec, parameter_specs, project_parameters
from zoo.activations.rivals.derf import Derf, derf
from zoo.activations.rivals.dyt import DyT, dyt
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
    "FleS",
    "ParameterSpec",
    "activation_parameters",
    "activation_spec",
    "derf",
    "dyt",
    "fles",
    "galu",
    "kernel",
    "list_activations",
    "list_gates",
    "make_gate",
    "parameter_specs",
    "project_parameters",
    "salu",
    "salu_add_salu_swalu",
    "salu_add_swalu",
    "salu_swalu",
    "swalu",
]


def list_activations() -> list[str]:
    """The names of all registered activations, sorted."""
    return ACTIVATIONS.names()

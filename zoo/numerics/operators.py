"""The table of SALU's and FleS's operators: what kernels, benchmarks and files have in common. No torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

SHORTCUT = 3
"""Where an operator that has one takes the shortcut: after x, a and b."""


@dataclass(frozen=True)
class FusedOperator:
    """One operator that has a fused kernel.

    Args:
        name: of its function in `zoo.activations` and of its custom operator, `salu_zoo::NAME`.
        formula: as one line of text.
        arguments: all are tensors; x and the shortcut `skip` are of one shape, a to f are one number each.
        stabilises: whether a SALU with a and b comes first.
        shortcut: what is added to its result: nothing, `skip`, or a SALU of it with e and f.
        gate: what comes last, with its own two numbers.
        node: the name of the operator in exported files; None where there is none.
    """

    name: str
    formula: str
    arguments: tuple[str, ...]
    stabilises: bool = False
    shortcut: Literal["none", "raw", "stabilised"] = "none"
    gate: Literal["none", "swalu", "galu"] = "none"
    node: str | None = None

    @property
    def scalars(self) -> tuple[int, ...]:
        """The places of the arguments that are one number each; none for FleS."""
        return tuple(i for i, argument in enumerate(self.arguments) if len(argument) == 1 and argument != "x")

    @property
    def of_shape(self) -> tuple[int, ...]:
        """The places of the arguments that have the shape of x."""
        return tuple(i for i, argument in enumerate(self.arguments) if argument in ("x", "skip"))


def _row(name: str, formula: str, arguments: str, **parts: object) -> tuple[str, FusedOperator]:
    return name, FusedOperator(name, formula, tuple(arguments.split(", ")), **parts)  # type: ignore[arg-type]


OPERATORS: dict[str, FusedOperator] = dict(
    [
        _row("salu", "a·x / sqrt(1 + a·b·x²)", "x, a, b", stabilises=True, node="Salu"),
        _row("swalu", "x/2 · (1 + SALU(x; a, b))", "x, a, b", gate="swalu", node="Swalu"),
        _row(
            "galu",
            "x/2 · (1 + SALU(ψ(x); a, b)), ψ(x) = sqrt(2/π)·(x + 0.044715·x³)",
            "x, a, b",
            gate="galu",
            node="Galu",
        ),
        _row(
            "salu_swalu",
            "SWALU(SALU(x; a, b); c, d)",
            "x, a, b, c, d",
            stabilises=True,
            gate="swalu",
            node="SaluSwalu",
        ),
        _row(
            "salu_add_swalu",
            "SWALU(SALU(x; a, b) + r; c, d)",
            "x, a, b, skip, c, d",
            stabilises=True,
            shortcut="raw",
            gate="swalu",
            node="SaluAddSwalu",
        ),
        _row(
            "salu_add_salu_swalu",
            "SWALU(SALU(x; a, b) + SALU(r; e, f); c, d)",
            "x, a, b, skip, e, f, c, d",
            stabilises=True,
            shortcut="stabilised",
            gate="swalu",
        ),
        _row("fles", "v · sigmoid(h·x) · x", "x, vertical, horizontal", node="FlesGate"),
    ]
)
"""By name. In this order C++ numbers them."""


@dataclass(frozen=True)
class Definition:
    """An operator as tensor code: its value, and its derivative by each argument at each element."""

    value: "Callable[..., Tensor]"
    gradients: "Callable[..., tuple[Tensor, ...]]"


DEFINITIONS: dict[str, Definition] = {}
"""By name; `zoo.activations` enters each beside its formula, and kernels fall back on it."""

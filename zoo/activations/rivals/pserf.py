"""Pserf(x) = x · erf(γ · ln(1 + exp(δ·x))), with two learned scalars.

γ = δ = 1 is Serf. For large x about x where γ > 0; 0 at the left.

Source: "ErfAct and Pserf: Non-monotonic Smooth Trainable Activation Functions", arXiv 2109.04386. The initial values
γ = 1.25 and δ = 0.85 are the authors' as far as we know them; their paper's text was not at hand to check.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.activations.recompute import beside, overridable
from zoo.activations.rivals.scalar_gate import ScalarGate
from zoo.activations.spec import ACTIVATIONS, ActivationSpec, ParameterSpec
from zoo.numerics.precision import wide_dtype


@overridable
def pserf(x: Tensor, gamma: Tensor, delta: Tensor) -> Tensor:
    """x·erf(gamma·softplus(delta·x)), computed in float32 (float64 for float64 input).

    Args:
        x: any shape.
        gamma: a scalar.
        delta: a scalar.

    Returns:
        The shape and dtype of x.

    Source: arXiv 2109.04386.
    """
    kind = wide_dtype(x)
    wide = x.to(kind)
    bend = F.softplus(beside(x, delta).to(kind) * wide)
    return (wide * torch.erf(beside(x, gamma).to(kind) * bend)).to(x.dtype)


class Pserf(ScalarGate):
    """The module form of `pserf`; fits `act_layer` of timm models. Its arguments are those of `ScalarGate`.

    Source: arXiv 2109.04386.
    """

    gamma: nn.Parameter
    delta: nn.Parameter
    initial = {"gamma": 1.25, "delta": 0.85}  # noqa: RUF012 - ClassVar in the base

    def forward(self, x: Tensor) -> Tensor:
        """Return `pserf(x)`: the shape and dtype of x, computed in float32 at least."""
        return pserf(x, self.gamma, self.delta)


ACTIVATIONS.add(
    "pserf",
    ActivationSpec(
        name="pserf",
        formula="x · erf(gamma · softplus(delta · x))",
        functional=pserf,
        module=Pserf,
        parameters=tuple(ParameterSpec(name, value) for name, value in Pserf.initial.items()),
        role="gate",
        source="arXiv 2109.04386",
    ),
)

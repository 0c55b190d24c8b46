"""FleS(x) = κ_ve · σ(κ_ho · x) · x, a gate whose height and steepness follow the channel's positive intensity.

κ_ve (the gate's upper bound) and κ_ho (its steepness) are predicted for each sample and channel from t, the mean of the
channel's positive elements over all positions of the sample:

    t̂ = LayerNorm(t)                 over the channels, with weight and bias
    z = SiLU(W₁·t̂ + b₁)              a trunk of m = max(32, C // 32) units
    κ_ve = γ + λ ⊙ t̂ + W_ve·z        γ starts at 1; λ and W_ve at 0
    κ_ho = β + W_ho·z                β starts at `beta`; W_ho at 0

A fresh FleS is therefore exactly SiLU, and with beta=1.702 the sigmoid form of GELU. Parameters: 3·C·m + 5·C + m.

Source: "Toward Principled Flexible Scaling for Self-Gated Neural Activation", ICLR 2026 (OpenReview XGODWn7HeJ), for
the outer form, the positive statistics and the variants; the network inside is ours and meets every parameter count the
slides print.
"""

import math
from typing import get_args

import torch
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined]
from torch.nn import functional as F

from zoo.activations._channels import ChannelGate, require_count, require_finite
from zoo.activations._fles_network import (
    PARAMETERS,
    SIDES,
    Variant,
    coefficients,
    shift,
    shift_units,
    trunk_units,
)
from zoo.activations._fused import Kernel
from zoo.activations._lean import floating, lean, overridable, wide_dtype
from zoo.activations.spec import ACTIVATIONS, ActivationSpec
from zoo.errors import ConfigurationError, suggestion

GELU_BETA = 1.702
"""x·sigmoid(1.702·x) is the sigmoid form of GELU (arXiv 1606.08415, section 2)."""
SMALLEST = 2.0**-64
"""|κ_ho| below this counts as this [ours], where the sigmoid is 1/2 to the last bit of float32 for |x| < 2³⁹."""


def _formula(x: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    # silu(h·x)·(v/h) and not v·σ(h·x)·x: with v = h = 1 it is torch's own SiLU to the last bit.
    sign = torch.where(horizontal < 0, -1.0, 1.0).to(horizontal.dtype)
    steep = torch.where(horizontal.abs() < SMALLEST, sign * SMALLEST, horizontal)
    y = (F.silu(steep * x.to(wide_dtype(x))) * (vertical / steep)).to(x.dtype)
    if x.is_contiguous() or (x.ndim == 4 and x.movedim(1, -1).is_contiguous()):
        return y
    # torch's exp rounds otherwise in a strided tensor than in the product above, which lies densely.
    return torch.where((vertical == 1) & (horizontal == 1), F.silu(x), y)


def _gate(x: Tensor, vertical: Tensor, horizontal: Tensor, offset: Tensor | None = None) -> Tensor:
    # Without the quotient of `_formula`: its derivative by κ_ho cancels where κ_ho is small.
    wide = x.to(wide_dtype(x))
    inner = horizontal * wide if offset is None else horizontal * wide + offset
    return (vertical * (torch.sigmoid(inner) * wide)).to(x.dtype)


def _gradients(x: Tensor, vertical: Tensor, horizontal: Tensor) -> tuple[Tensor, ...]:
    """dx = v·(σ + h·x·σ·(1-σ)), dv = σ·x, dh = v·x²·σ·(1-σ), with σ = σ(h·x)."""
    return _shifted_gradients(x, vertical, horizontal, None)[:3]


def _shifted_gradients(x: Tensor, vertical: Tensor, horizontal: Tensor, offset: Tensor | None) -> tuple[Tensor, ...]:
    """As `_gradients` with σ = σ(h·x + Δ), and dΔ = v·x·σ·(1-σ)."""
    wide = x.to(wide_dtype(x))
    gate = torch.sigmoid(horizontal * wide if offset is None else horizontal * wide + offset)
    bend = wide * gate * (1 - gate)
    return vertical * (gate + horizontal * bend), gate * wide, vertical * wide * bend, vertical * bend


_fles = lean(_formula, _gradients, _gate, name="fles")
_fles_shifted = lean(_gate, _shifted_gradients)


@overridable
def fles(
    x: Tensor,
    vertical: Tensor | float,
    horizontal: Tensor | float,
    offset: Tensor | float | None = None,
    *,
    kernel: Kernel | None = None,
) -> Tensor:
    """vertical · σ(horizontal · x + offset) · x, computed in float32 (float64 for float64 input).

    Args:
        x: any shape, floating point.
        vertical: κ_ve, a scalar or a shape that broadcasts with x, such as (n, 1, c) for tokens.
        horizontal: κ_ho, likewise.
        offset: AdaShift's Δ, likewise; None for FleS proper, the variant "adas" has one.
        kernel: "plain" for the definition, "fused" for a fused kernel; None for what `kernel()` has set, first "auto".
            With an offset it is always the definition.

    Returns:
        The dtype of x. At -inf NaN, as torch's SiLU; horizontal·x beyond the largest float counts as infinite.

    Raises:
        TypeError: x is not floating point.
        ConfigurationError: `kernel` is "fused" and no kernel fits these inputs.

    Source: FleS slides (ICLR 2026), "Method"; for the offset, AdaShift (CVPR 2024).

    >>> import torch
    >>> fles(torch.tensor([-1.0, 0.0, 2.0]), 1.0, 1.0)
    tensor([-0.2689,  0.0000,  1.7616])
    """
    if offset is not None:
        return _fles_shifted(x, vertical, horizontal, offset)
    return _fles(x, vertical, horizontal, kernel=kernel)


class FleS(ChannelGate):
    """The module form of `fles`, with the network that predicts the two coefficients.

    Variants: "fles"; "dg": no statistics, κ_ve = γ and κ_ho = β are learned constants; "pn": t averages positive and
    negative elements alike; "proto": κ_ve = κ_ho = 1 + t̂ with t over the whole batch and no parameters [ours: no
    affine], so a sample's output depends on the others in its batch; "adas": AdaShift's shift inside the gate,
    σ(κ_ho·x + Δ) with Δ = LayerNorm(μ + U·V·μ) from the plain channel means μ. AdaShift-B's own Δ = LayerNorm(μ) would
    leave Swin-Min at 13.0 M where the slides print 14.1 M; U·V, of rank max(32, C // 24), is ours and makes up the
    difference. One printed number does not tell whether the authors' network looks like this.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens (n, ..., c), 1 for (n, c, h, w) maps. Axis 0 is the batch; the remaining axes are
            positions.
        variant: "fles", "dg", "pn", "proto" or "adas".
        hidden: units m of the trunk; None for max(32, num_features // 32).
        beta: start of β: 1 is SiLU, 1.702 the sigmoid form of GELU. "proto" has none.
        inplace: accepted because timm passes it to activations; not used, the input is kept for the backward pass.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: an argument is out of range, or no such variant.

    Source: FleS slides (ICLR 2026); the network is ours.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        variant: Variant = "fles",
        hidden: int | None = None,
        beta: float = 1.0,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        if variant not in get_args(Variant):
            raise ConfigurationError(f"FleS(variant={variant!r}): {suggestion(str(variant), get_args(Variant))}")
        self.variant: Variant = variant
        self.initial_beta = require_finite("FleS", "beta", beta)
        self.hidden = trunk_units(self.num_features) if hidden is None else require_count("FleS", "hidden", hidden)
        sizes = {"c": self.num_features, "m": self.hidden, "s": shift_units(self.num_features)}
        for spec in PARAMETERS[variant]:
            shape = tuple(sizes[side] for side in SIDES[spec.name])
            self.register_parameter(spec.name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """A fresh FleS is SiLU: γ = 1, β = `beta`; λ, both heads, b₁ and Δ 0; W₁ and V drawn as in `nn.Linear`."""
        for spec in PARAMETERS[self.variant]:
            parameter = self.get_parameter(spec.name)
            if spec.initial is None:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
            else:
                nn.init.constant_(parameter, self.initial_beta if spec.name == "beta" else spec.initial)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `fles(x)` with predicted coefficients: the shape and dtype of x, computed in float32 at least.

        Args:
            x: (n, ..., c, ...) with c on `channel_axis`.
            mask: (n, *positions), nonzero where a position counts in the statistics; None counts all.

        Raises:
            ShapeError: x or the mask has another shape.
            TypeError: x is not floating point.
        """
        vertical, horizontal = self.coefficients(x, mask)
        offset = self.shift(x, mask)
        if is_scripting():
            return _gate(floating(x), vertical, horizontal, offset)
        return fles(x, vertical, horizontal, offset)

    def coefficients(self, x: Tensor, mask: Tensor | None = None, mean: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """κ_ve and κ_ho for this input, in float32 at least, shaped to broadcast with x; from t where it is given."""
        parameters = self._parameters_by_name()
        return coefficients(x, mask, self.num_features, self.channel_axis, self.variant, parameters, mean)

    def shift(self, x: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """Δ of "adas" for this input, shaped to broadcast with x; None for every other variant."""
        if self.variant != "adas":
            return None
        return shift(x, mask, self.num_features, self.channel_axis, self._parameters_by_name())

    def _parameters_by_name(self) -> dict[str, Tensor]:
        """As attributes: a parametrised module and a replica of `nn.DataParallel` have them, but not as parameters."""
        p: dict[str, Tensor] = {}  # filled by literal names, for torch.jit.script
        if hasattr(self, "gamma"):
            p.update({"gamma": self.gamma, "beta": self.beta})  # type: ignore[dict-item]
        if hasattr(self, "lam"):
            p.update({"norm_weight": self.norm_weight, "norm_bias": self.norm_bias, "lam": self.lam})  # type: ignore[dict-item]
            p.update({"trunk_weight": self.trunk_weight, "trunk_bias": self.trunk_bias})  # type: ignore[dict-item]
            p.update({"vertical_weight": self.vertical_weight, "horizontal_weight": self.horizontal_weight})  # type: ignore[dict-item]
        if hasattr(self, "shift_up"):
            p.update({"shift_down": self.shift_down, "shift_up": self.shift_up})  # type: ignore[dict-item]
            p.update({"shift_weight": self.shift_weight, "shift_bias": self.shift_bias})  # type: ignore[dict-item]
        return p

    def extra_repr(self) -> str:
        """The number of channels, their axis, the variant, the width of the trunk if there is one."""
        trunk = f", hidden={self.hidden}" if self.variant not in ("dg", "proto") else ""
        return f"{super().extra_repr()}, variant={self.variant!r}{trunk}"


_FORMULAS: dict[Variant, str] = {
    "fles": "κ_ve · sigmoid(κ_ho · x) · x",
    "dg": "gamma · sigmoid(beta · x) · x",
    "pn": "κ_ve · sigmoid(κ_ho · x) · x, from plain means",
    "proto": "κ · sigmoid(κ · x) · x, from the whole batch",
    "adas": "κ_ve · sigmoid(κ_ho · x + Δ) · x",
}
for _variant, _text in _FORMULAS.items():
    _name = "fles" if _variant == "fles" else f"fles_{_variant}"
    ACTIVATIONS.add(
        _name,
        ActivationSpec(
            name=_name,
            formula=_text,
            functional=fles,
            module=FleS,
            parameters=PARAMETERS[_variant],
            role="gate",
            source="FleS, ICLR 2026 (OpenReview XGODWn7HeJ); the coefficient network is ours",
            channelwise=True,
            arguments={"variant": _variant},
        ),
    )

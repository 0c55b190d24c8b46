"""FleS(x) = κ_ve · σ(κ_ho · x) · x, a gate whose height and steepness follow the channel's positive intensity.

κ_ve (the gate's upper bound) and κ_ho (its steepness) are positive and predicted for each sample and channel:

    t = mean of the channel's elements x >= 0, over all positions of the sample; 0 where it has none [ours]
    μ = t / mean of t over the channels; 1 where that is below 2⁻¹²⁶, as 0 is [ours]
    z = SiLU(W₁·(w ⊙ μ) + b₁), a trunk of m = max(32, C // 32) units
    κ_ve = softplus(γ_ve + α_ve ⊙ μ + W_ve·z), and κ_ho likewise

Parameters: 3·C·m + 5·C + m. Any finite γ, also a negative one, gives a positive κ. Fresh, with W_ve = W_ho = 0, w = 1:

    start="paper"       α = 1e-3 and γ = 0.6, so κ is near 1.04 [note]
    start="identity"    α = 0, softplus(γ_ve) = 1, softplus(γ_ho) = `steepness`. At 1 it is torch's SiLU to the last
                        bit, with parameters in float32; 16 bits round γ. At 1.702 it is the sigmoid form of GELU.

Sources. [slides]: "Toward Principled Flexible Scaling for Self-Gated Neural Activation", ICLR 2026 (OpenReview
XGODWn7HeJ), for the outer form, the variants, and that "positive channel statistics via lightweight MLPs" predict both
coefficients. [note]: the public summary of that paper in Paper-Notes, 2026-05-08, for t, μ, the start "paper", the
ratio 32, and softplus in "proto" and "dg". [ours]: softplus in the practical form, and the network, which meets every
parameter count that the slides print. The paper's variants for texts (a token-level indicator, a gate by depthwise 1-D
convolutions) and for dense tasks (statistics of local patches) are named without formulas and not provided here.
"""

import math
from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined]

from zoo.activations.channel_gate import ChannelGate, require_count
from zoo.activations.dispatch import Kernel
from zoo.activations.fles_gate import gate, plain, shifted
from zoo.activations.fles_network import (
    PARAMETERS,
    SIDES,
    Variant,
    coefficients,
    shift,
    shift_units,
    trunk_units,
)
from zoo.activations.fles_start import Start, checked_steepness, initial_values
from zoo.activations.recompute import overridable
from zoo.activations.spec import ACTIVATIONS, ActivationSpec
from zoo.errors import ConfigurationError, suggestion
from zoo.first_edition import refuse_first_edition
from zoo.numerics.precision import floating

GELU_STEEPNESS = 1.702
"""x·sigmoid(1.702·x) is the sigmoid form of GELU (arXiv 1606.08415, section 2)."""


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
        return shifted(x, vertical, horizontal, offset)
    return gate(x, vertical, horizontal, kernel=kernel)


class FleS(ChannelGate):
    """The module form of `fles`, with the network that predicts the two coefficients.

    Variants: "fles"; "dg": κ = softplus(γ), no statistics; "pn": t averages all elements, and their mean magnitude over
    the channels divides them [ours]; "proto": κ = softplus(α ⊙ μ + γ) with t over the whole batch, so a sample's output
    depends on the others in its batch; "adas": AdaShift's shift inside the gate, σ(κ_ho·x + Δ) with
    Δ = LayerNorm(t̄ + U·V·t̄) from the plain channel means t̄. AdaShift-B's own Δ = LayerNorm(t̄) would leave Swin-Min at
    13.0 M where the slides print 14.1 M; U·V, of rank max(32, C // 24), is ours and makes up the difference. One
    printed number does not tell whether the authors' network looks like this.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens (n, ..., c), 1 for (n, c, h, w) maps. Axis 0 is the batch; the remaining axes are
            positions.
        variant: "fles", "dg", "pn", "proto" or "adas".
        hidden: units m of the trunk; None for max(32, num_features // 32).
        start: "paper" or "identity": the values the parameters start at; see the module's docstring.
        steepness: κ_ho at the start "identity", a positive number; None for 1.
        inplace: accepted because timm passes it to activations; not used, the input is kept for the backward pass.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: an argument is out of range, no such variant or start, or `steepness` with "paper".

    Source: FleS slides (ICLR 2026) and Paper-Notes, 2026-05-08; the network is ours.
    """

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        variant: Variant = "fles",
        hidden: int | None = None,
        start: Start = "paper",
        steepness: float | None = None,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        for name, value, known in (("variant", variant, get_args(Variant)), ("start", start, get_args(Start))):
            if value not in known:
                raise ConfigurationError(f"FleS({name}={value!r}): {suggestion(str(value), known)}")
        self.variant: Variant = variant
        self.start: Start = start
        self.steepness = checked_steepness(start, steepness)
        self.hidden = trunk_units(self.num_features) if hidden is None else require_count("FleS", "hidden", hidden)
        sizes = {"c": self.num_features, "m": self.hidden, "s": shift_units(self.num_features)}
        for spec in PARAMETERS[variant]:
            shape = tuple(sizes[side] for side in SIDES[spec.name])
            self.register_parameter(spec.name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every parameter to its start; W₁ and V are drawn as in `nn.Linear`, and Δ starts at 0."""
        values = initial_values(self.start, self.steepness)
        for spec in PARAMETERS[self.variant]:
            parameter = self.get_parameter(spec.name)
            if spec.initial is None:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
            else:
                nn.init.constant_(parameter, values.get(spec.name, 0.0))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        refuse_first_edition(state_dict, [f"{prefix}vertical_bias"])
        super()._load_from_state_dict(state_dict, prefix, *args)

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
            return plain(floating(x), vertical, horizontal, offset)
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
        p.update({"vertical_bias": self.vertical_bias, "horizontal_bias": self.horizontal_bias})  # type: ignore[dict-item]
        if hasattr(self, "vertical_norm"):
            p.update({"vertical_norm": self.vertical_norm, "horizontal_norm": self.horizontal_norm})  # type: ignore[dict-item]
        if hasattr(self, "trunk_norm"):
            p.update({"trunk_norm": self.trunk_norm, "trunk_bias": self.trunk_bias})  # type: ignore[dict-item]
            p.update({"trunk_weight": self.trunk_weight, "vertical_weight": self.vertical_weight})  # type: ignore[dict-item]
            p["horizontal_weight"] = self.horizontal_weight  # type: ignore[assignment]
        if hasattr(self, "shift_up"):
            p.update({"shift_down": self.shift_down, "shift_up": self.shift_up})  # type: ignore[dict-item]
            p.update({"shift_norm": self.shift_norm, "shift_bias": self.shift_bias})  # type: ignore[dict-item]
        return p

    def extra_repr(self) -> str:
        """The number of channels, their axis, the variant, the width of the trunk if there is one."""
        trunk = f", hidden={self.hidden}" if self.variant not in ("dg", "proto") else ""
        return f"{super().extra_repr()}, variant={self.variant!r}{trunk}"


_FORMULAS: dict[Variant, str] = {
    "fles": "κ_ve · sigmoid(κ_ho · x) · x",
    "dg": "κ_ve · sigmoid(κ_ho · x) · x, without statistics",
    "pn": "κ_ve · sigmoid(κ_ho · x) · x, from plain means",
    "proto": "κ_ve · sigmoid(κ_ho · x) · x, from the whole batch",
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
            source="FleS, ICLR 2026 (OpenReview XGODWn7HeJ); Paper-Notes, 2026-05-08; the coefficient network is ours",
            channelwise=True,
            arguments={"variant": _variant},
        ),
    )

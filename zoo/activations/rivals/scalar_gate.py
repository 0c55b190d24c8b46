"""The base of the rivals that learn a few scalars, shared by all elements."""

from typing import ClassVar

import torch
from torch import nn

from zoo.activations.channel_gate import require_finite
from zoo.activations.scalar_owner import ScalarOwner


class ScalarGate(ScalarOwner):
    """Owns one parameter of shape (1,) for each name in `initial`; a subclass adds `forward`.

    Args:
        inplace: accepted because timm passes it to activations; not used, the input is kept for the backward pass.
        device: where the parameters live.
        dtype: in which precision they are stored.
        **start: initial values other than those of `initial`.

    Raises:
        ConfigurationError: an initial value is not finite.
    """

    initial: ClassVar[dict[str, float]]

    def __init__(
        self,
        *,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **start: float,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        unknown = sorted(start.keys() - self.initial.keys())
        if unknown:
            raise TypeError(f"{kind}() got an unexpected keyword argument {unknown[0]!r}")
        self.start = {name: require_finite(kind, name, value) for name, value in {**self.initial, **start}.items()}
        for name in self.start:
            self.register_parameter(name, nn.Parameter(torch.empty(1, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every parameter to the value given at construction."""
        for name, value in self.start.items():
            nn.init.constant_(self.get_parameter(name), value)

    def extra_repr(self) -> str:
        """The values of the parameters where there are any (there are none on the meta device)."""
        shown = [(name, p) for name, p in self.named_parameters() if not p.is_meta and p.numel() == 1]
        return ", ".join(f"{name}={p.item():.4g}" for name, p in shown)


class SmoothMaximum(ScalarGate):
    """The base of SMU and SMU-1: a fixed alpha and one learned mu.

    Args:
        alpha: the slope at the far left.
        mu: the initial mu; None for that of `initial`.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameter lives.
        dtype: in which precision it is stored.

    Raises:
        ConfigurationError: alpha or mu is not finite.
    """

    mu: nn.Parameter
    usual_alpha: ClassVar[float]

    def __init__(
        self,
        *,
        alpha: float | None = None,
        mu: float | None = None,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        start = {} if mu is None else {"mu": mu}
        super().__init__(inplace=inplace, device=device, dtype=dtype, **start)
        self.alpha = require_finite(type(self).__name__, "alpha", self.usual_alpha if alpha is None else alpha)

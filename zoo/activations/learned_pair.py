"""The base of SALU, SWALU and GALU: a module that owns the two learned scalars a and b."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from zoo.activations.scalar_owner import ScalarOwner
from zoo.errors import ConfigurationError
from zoo.numerics.saturating_unit import guard


class LearnedPair(ScalarOwner):
    """Owns `a` and `b`, two parameters of shape (1,); a subclass adds `start` and `forward`.

    Args:
        num_features: what a norm layer gets as its first argument; one pair (a, b) serves all features.
        a: the initial value of a; None takes the subclass's `start`.
        b: the initial value of b; None likewise.
        eps: accepted because timm passes it to norm layers; not used, nothing is divided.
        inplace: accepted because timm passes it to activations; not used, the input is kept for the backward pass.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: a or b is not a positive finite number, or `num_features` is not a size.
    """

    start: ClassVar[tuple[float, float]]
    # torch.jit.script would compile them for C++, which has no use for them.
    __jit_unused_properties__: ClassVar = ["saturation", "width"]

    def __init__(
        self,
        num_features: int | Sequence[int] | None = None,
        *,
        a: float | None = None,
        b: float | None = None,
        eps: float | None = None,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        a, b = (given if given is not None else usual for given, usual in zip((a, b), self.start, strict=True))
        for name, value in (("a", a), ("b", b)):
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                raise ConfigurationError(f"{kind}({name}={value!r}): {name} must be a positive finite number.")
        sizes = () if num_features is None else num_features if isinstance(num_features, Sequence) else (num_features,)
        if not all(isinstance(n, int) and n > 0 for n in sizes):
            raise ConfigurationError(
                f"{kind}({num_features!r}): the first argument is the number of features, which is not used; "
                f"give the initial values as {kind}(a=..., b=...)."
            )
        self.initial = (float(a), float(b))
        self.a = nn.Parameter(torch.empty(1, device=device, dtype=dtype))
        self.b = nn.Parameter(torch.empty(1, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set a and b to the values given at construction."""
        with torch.no_grad():
            self.a.fill_(self.initial[0])
            self.b.fill_(self.initial[1])

    @property
    def saturation(self) -> Tensor:
        """S = sqrt(a/b), the supremum of |SALU|."""
        return guard(self.a).sqrt() / guard(self.b).sqrt()

    @property
    def width(self) -> Tensor:
        """W = 1/sqrt(a·b), the width of the linear regime."""
        return 1 / (guard(self.a).sqrt() * guard(self.b).sqrt())

    def extra_repr(self) -> str:
        """The values of a, b, S and W where there are any (there are none on the meta device)."""
        shown = {"a": self.a, "b": self.b, "S": self.saturation, "W": self.width}
        if any(p.is_meta or p.numel() != 1 for p in shown.values()):
            return ""
        return ", ".join(f"{name}={value.item():.4g}" for name, value in shown.items())

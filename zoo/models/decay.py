"""Parameters without weight decay: those of the activations, and what a network of timm names itself."""

from typing import Any

import torch

from zoo.activations.parameters import parameter_specs


class Undecayed:
    """Comes before a network of timm or transformers and answers `no_weight_decay()`, which timm's optimisers ask."""

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def no_weight_decay(self) -> set[str]:
        """Names of parameters: a, b and FleS's vectors, whatever a `ParameterSpec` spares; and the network's own."""
        own: Any = getattr(super(), "no_weight_decay", set)
        return set(own()) | {name for name, spec in parameter_specs(self).items() if not spec.weight_decay}  # type: ignore[arg-type]

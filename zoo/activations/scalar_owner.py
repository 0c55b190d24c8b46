"""The base of the modules that learn scalars."""

from typing import Any

from torch import Tensor, nn


class ScalarOwner(nn.Module):
    """Its learned scalars have the shape (1,): FSDP and PowerSGD cut every parameter along its first axis.

    A state dict that has them with the shape () loads: they were stored so before. The state of an optimiser does not.
    """

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, parameter in self.named_parameters(prefix[:-1], recurse=False):
            stored = state_dict.get(name)
            if isinstance(stored, Tensor) and fits_as_scalar(stored, parameter):
                state_dict[name] = stored.view(1)
        super()._load_from_state_dict(state_dict, prefix, *args)


def fits_as_scalar(stored: Tensor, wanted: Tensor) -> bool:
    """True if `stored`, of shape (), is a learned scalar `wanted`, of shape (1,), as older files have it."""
    return stored.ndim == 0 and wanted.shape == (1,)

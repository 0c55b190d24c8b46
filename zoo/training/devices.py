"""Where a run computes: one process, or several started by `accelerate launch` or `torchrun`."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ConfigurationError


@dataclass(frozen=True)
class Devices:
    """This process among its peers.

    Args:
        device: where this process computes.
        rank, world: its number and how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def distribute(self, model: nn.Module) -> nn.Module:
        """Wrap `model` so that gradients are averaged over all processes; unchanged for one process."""
        if self.world == 1:
            return model
        ids = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=ids)

    def without_sync(self, model: nn.Module, last_part: bool) -> AbstractContextManager[Any]:
        """Context for one part of an accumulated batch: only the last part exchanges gradients."""
        return nullcontext() if self.world == 1 or last_part else model.no_sync()  # type: ignore[operator, no-any-return]

    def sum(self, values: Tensor) -> Tensor:
        """Add `values` over all processes, in place; every process gets the sum."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            torch.distributed.barrier()


def find_devices(device: str | None = None) -> Devices:
    """Join the processes that were started together (WORLD_SIZE > 1), or take one device.

    Args:
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the best available.

    Raises:
        ConfigurationError: the device does not exist here.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        state = PartialState(cpu=device == "cpu")
        return Devices(state.device, state.process_index, state.num_processes)
    if device is None:
        return Devices(torch.device(_best()))
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"Cannot compute on {device!r}: {reason} Available: {_best()!r} or 'cpu'.") from error
    return Devices(chosen)


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

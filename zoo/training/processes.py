"""Processes of a run: one, or several started by `accelerate launch` or `torchrun`."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.devices import choose_device, join_processes


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
        """True if this process writes files and prints."""
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
    """Take a device, and join the processes that were started together (WORLD_SIZE > 1).

    Args:
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the best available.

    Raises:
        ConfigurationError: the device does not exist here, or is not this process's; see `zoo.devices`.
    """
    chosen = choose_device(device)
    processes = join_processes(chosen)
    return Devices(chosen, processes.rank, processes.count)

"""One process or many: who evaluates what, and how the parts come together (Accelerate, torchrun)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from zoo.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among the ones that evaluate together.

    Args:
        rank: this process, from 0; 0 prints and writes.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part: every `count`-th item. Nothing is repeated or left out, whatever the number of items."""
        return items[self.rank :: self.count]

    def gather(self, value: T) -> list[T]:
        """`value` of every process, in order of rank, on every process."""
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        gathered: list[T] = gather_object([value])
        return gathered


def join_processes(device: "torch.device") -> Processes:
    """Join the processes that `accelerate launch` or `torchrun` started; alone if neither did.

    Accelerate's state lives as long as the process and fixes the device, so a lone evaluation does not touch it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu")
    return Processes(state.process_index, state.num_processes)


def choose_device(asked: str | None) -> "torch.device":
    """The device for a model.

    Args:
        asked: "cpu", "cuda" or "cuda:N"; None takes CUDA if there is a GPU. Under a launcher "cuda" is the GPU with
            this process's local rank.

    Raises:
        ConfigurationError: CUDA was asked for and is not there, or the name is no device of this kind. Nothing falls
            back to the CPU.
    """
    import torch

    available = torch.cuda.is_available()
    try:
        device = torch.device(asked or ("cuda" if available else "cpu"))
    except RuntimeError:
        raise ConfigurationError(f"Unknown device {asked!r}; choose cpu, cuda or cuda:N.") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigurationError(f"Cannot evaluate on device {asked!r}; choose cpu, cuda or cuda:N.")
    if device.type == "cpu":
        return device
    index = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
    if not available or index >= torch.cuda.device_count():
        raise ConfigurationError(
            f"Asked for device {asked!r}, found {torch.cuda.device_count()} usable CUDA devices. Use --device cpu, or "
            "install a driver and a torch build that see the GPU."
        )
    return torch.device("cuda", index)

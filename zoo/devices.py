"""Compute environment of a run: device, PyTorch's defaults, the processes of `accelerate launch` or `torchrun`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from zoo.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
_CHOICES = "choose cpu, cuda, cuda:N or mps"


@dataclass(frozen=True)
class Processes:
    """This process among the ones that work together.

    Args:
        rank: this process, from 0.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """True if this process prints and writes files."""
        return self.rank == 0

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


def choose_device(asked: str | None) -> "torch.device":
    """The device for a model; what was asked for or an error, never another one.

    Args:
        asked: "cpu", "cuda", "cuda:N" or "mps"; None takes CUDA if there is a GPU, else MPS if there is one, else the
            CPU. Among several processes "cuda" is the GPU with this process's local rank.

    Raises:
        ConfigurationError: the device is unknown or not here, or `cuda:N` names another process's GPU.
    """
    import torch

    try:
        device = torch.device(asked or _best())
    except RuntimeError:
        raise ConfigurationError(f"Unknown device {asked!r}; {_CHOICES}.") from None
    if device.type == "cuda":
        return torch.device("cuda", _cuda_index(device))
    if device.type not in ("cpu", "mps") or device.index:
        raise ConfigurationError(f"Cannot compute on device {asked!r}; {_CHOICES}.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigurationError(f"Asked for device {asked!r}, found no Apple GPU that torch can use. Use cpu.")
    return torch.device(device.type)


@contextmanager
def torch_defaults(device: str | None = None) -> Iterator[None]:
    """float32 is PyTorch's default number type inside, and `device` its default device, whatever the user has set.

    Args:
        device: where new tensors go; None leaves that as the user has set it.
    """
    import torch

    own = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        # Not entered without need: the tracer of torch.export meets it.
        with nullcontext() if device in (None, torch.get_default_device().type) else torch.device(device):
            yield
    finally:
        torch.set_default_dtype(own)


def join_processes(device: "torch.device") -> Processes:
    """Join the processes that `accelerate launch` or `torchrun` started; alone if neither did.

    Accelerate's state lives as long as the process and fixes the device, so a process on its own does not touch it.

    Args:
        device: where this process computes, as `choose_device` returns it.

    Raises:
        ConfigurationError: Accelerate was set up before for another device, or finds another number of processes.
    """
    started = _started()
    if started == 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu")
    if state.device.type != device.type:
        raise ConfigurationError(
            f"Asked for device {device}, but Accelerate is set up for {state.device} in this process. Ask for "
            f"{state.device.type}, or change `accelerate config` (ACCELERATE_USE_CPU, ACCELERATE_TORCH_DEVICE)."
        )
    if state.num_processes != started:
        raise ConfigurationError(
            f"WORLD_SIZE says {started} processes, found {state.num_processes} on {device}. Start them with torchrun "
            "or accelerate launch, or unset WORLD_SIZE."
        )
    return Processes(state.process_index, state.num_processes)


def is_main_process() -> bool:
    """True if this process prints and writes files, as `join_processes` will say or has said."""
    return _started() == 1 or int(os.environ.get("RANK", "0")) == 0


def leave_processes() -> None:
    """Close the connection to the other processes, if there is one; the last thing a command does."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _started() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _cuda_index(device: "torch.device") -> int:
    import torch

    own = int(os.environ.get("LOCAL_RANK", "0")) if _started() > 1 else None
    index: int = device.index if device.index is not None else own or 0
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= found:
        raise ConfigurationError(
            f"Asked for device 'cuda:{index}', found {found} usable CUDA devices. Use cpu, start fewer processes, or "
            "install a driver and a torch build that see the GPU."
        )
    if own is not None and index != own:
        raise ConfigurationError(
            f"Asked for device 'cuda:{index}' in the process with local rank {own}: each process takes the GPU of its "
            "own rank. Ask for 'cuda', and choose GPUs with CUDA_VISIBLE_DEVICES."
        )
    return index

"""Hardware that a benchmark ran on, and the number of threads it had."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from zoo.devices import choose_device
from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine on which the times were taken.

    Args:
        device: as torch names it.
        hardware: the GPU's name; for a CPU its instruction set and threads.
        threads: of PyTorch on the host.
        versions: Python and libraries.
    """

    device: str
    hardware: str
    threads: int
    versions: dict[str, str]

    @classmethod
    def here(cls, device: torch.device) -> "Machine":
        """This machine, as PyTorch is set now."""
        return cls(
            device=str(device),
            hardware=hardware(device),
            threads=torch.get_num_threads(),
            versions=library_versions(),
        )


def bench_device(asked: str | None) -> torch.device:
    """The device to time on.

    Args:
        asked: "cpu", "cuda" or "cuda:N"; None takes a GPU if CUDA finds one, else the CPU.

    Raises:
        ConfigurationError: it is not here, or of a kind whose time is not taken.
    """
    device = choose_device(asked or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type not in ("cpu", "cuda"):
        raise ConfigurationError(f"Times are taken on cpu and cuda, not on {str(device)!r}. Use one of these.")
    return device


@contextmanager
def host_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch use `count` threads inside the block; None leaves them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

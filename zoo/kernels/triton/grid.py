"""Launch grid of FleS's kernels: samples times channels times positions, cut into tiles."""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.kernels.strides import Split, Strides, gathered, sizes, strides
from zoo.kernels.triton import tiles
from zoo.kernels.triton.launch import OPTIONS


class Grid(NamedTuple):
    """x as samples times channels times positions, and how programs share them."""

    sizes: tuple[int, int, int]
    tile: tiles.Tile

    @property
    def slots(self) -> int:
        """Programs beside each other along the positions."""
        return -(-self.sizes[2] // (self.tile.positions * self.tile.steps))

    @property
    def columns(self) -> int:
        """Programs beside each other along the channels."""
        return -(-self.sizes[1] // self.tile.channels)

    @property
    def programs(self) -> tuple[int]:
        """All of them."""
        return (self.sizes[0] * self.slots * self.columns,)

    @property
    def flags(self) -> dict[str, int]:
        """Compile-time constants of the kernel."""
        return {"TILE_P": self.tile.positions, "TILE_C": self.tile.channels, "num_warps": self.tile.warps, **OPTIONS}

    def sums(self, x: Tensor) -> Tensor:
        """Room for two sums of every program."""
        samples, channels, _ = self.sizes
        return torch.empty(2, samples, self.slots, channels, dtype=torch.float32, device=x.device)


def grid_of(x: Tensor, groups: Split, *, reduces: bool) -> Grid:
    """The grid for x, which has one stride for each group; `reduces` if sums over positions are wanted."""
    samples, channels, positions = sizes(x, groups)
    step = steps_of(x, groups)
    inside = channels > 1 and (positions == 1 or step.channel < step.position)
    return Grid((samples, channels, positions), tiles.tile(samples, channels, positions, inside, reduces))


def followed(x: Tensor, groups: Split) -> Tensor:
    """x, or a copy of it if one of the groups has not one stride."""
    return x if strides(x, groups) is not None else gathered(x, groups)


def steps_of(x: Tensor, groups: Split) -> Strides:
    """The strides of x, which `followed` has returned."""
    found = strides(x, groups)
    assert found is not None  # `followed` makes sure of it.
    return found

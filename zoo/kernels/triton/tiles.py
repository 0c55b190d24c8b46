"""Tile sizes of the kernels, the piece that one program works on: the one place to tune.

A memory-bound kernel is at its best with 16-byte loads and several of them in flight in each thread: 8 to 16 elements
a thread at these sizes. Small tensors are cut finer, so that every multiprocessor gets a piece.
"""

from typing import NamedTuple

LARGE = 2**22
"""From here on a tensor has enough elements to fill a large GPU with the larger pieces."""

PROGRAMS = 2048
"""As many as keep a large GPU busy to the end; a program gets more than one piece only beyond that."""


class Flat(NamedTuple):
    """A piece of a tensor in memory order, how many of them a program works on, and its warps."""

    block: int
    steps: int
    warps: int

    def programs(self, n: int) -> int:
        """Return the number of programs for n elements."""
        return -(-n // (self.block * self.steps))


class Tile(NamedTuple):
    """A piece of positions times channels, the tiles that one program adds up, and its warps."""

    positions: int
    channels: int
    steps: int
    warps: int


def flat(n: int) -> Flat:
    """The pieces for n elements: what a program does only once, for its scalars and sums, pays over up to 4 of them."""
    if n < LARGE:
        return Flat(1024, 1, 4)
    return Flat(2048, max(1, min(4, n // (2048 * PROGRAMS))), 8)


def tile(samples: int, channels: int, positions: int, channels_inside: bool, reduces: bool) -> Tile:
    """The pieces for samples times channels times positions.

    Args:
        samples: groups that no program crosses.
        channels: of which each has its own coefficients.
        positions: over which sums run.
        channels_inside: the channels lie next to each other in memory, and not the positions.
        reduces: sums over positions leave the program, one for each channel and program.
    """
    elements, warps = (4096, 8) if samples * channels * positions >= LARGE else (1024, 4)
    if channels_inside:
        width = min(_power(channels), 256)
        height = min(_power(positions), elements // width)
    else:
        height = min(_power(positions), elements)
        width = min(_power(channels), elements // height)
    tiles = samples * -(-channels // width) * -(-positions // height)
    steps = max(1, min(16, tiles // PROGRAMS, -(-positions // height))) if reduces else 1
    return Tile(height, width, steps, warps)


def _power(n: int) -> int:
    """The smallest power of two that is not below n."""
    return 1 << max(0, n - 1).bit_length()

"""Memory for tests of what a process needs: an allocator could hand out what an earlier test made resident."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fresh_memory(size: int) -> Iterator[None]:
    """Hold `size` bytes straight from the system, each page written to, since untouched ones are not resident."""
    with mmap.mmap(-1, size) as block:
        for page in range(0, size, mmap.PAGESIZE):
            block[page] = 1
        yield

"""Reading regular files only, no more of them than is wanted; and whose a file is."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path


@contextmanager
def open_regular(path: str | Path) -> Iterator[BufferedReader]:
    """A file open for reading, if it is a regular one.

    Raises:
        OSError: there is none, or it is a device or a pipe, which may have no end.
    """
    waiting = getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | waiting)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file", str(path))
        yield file


def read_limited(path: str | Path, largest: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read, or is a device or a pipe.
        ValueError: it holds more than `largest` bytes.
    """
    with open_regular(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it holds more than {largest:,} bytes, the most that are read")
    return content


def is_own(path: Path) -> bool:
    """True if a file or folder, no link, is this user's or the system's, and nobody else may write to it.

    Raises:
        OSError: there is none.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid in (os.getuid(), 0) and not found.st_mode & 0o022)

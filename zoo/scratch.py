"""Temporary files and folders beside what they become, and the end of those that killed runs left.

A run that is killed tidies nothing up. Each temporary is locked by the process that fills it, for as long as that
lives; the next run of the same output that ends well removes all that nobody holds. Where the system has no such locks,
as on Windows, nothing is removed.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_RANDOM = 8
"""Characters that `tempfile` puts between prefix and suffix."""


def mark_of(target: Path) -> str:
    """The beginning of the names of temporaries that become `target`."""
    return f".{target.stem}.part-"


@contextmanager
def scratch_file(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, with its suffix; gone at the end, unless it was renamed."""

    def make() -> Path:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=mark_of(target), suffix=target.suffix)
        os.close(handle)
        return Path(name)

    with _locked(make) as file:
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def scratch_folder(parent: Path, mark: str) -> Iterator[Path]:
    """An empty folder inside a new one in `parent` whose name begins with `mark`; both are gone at the end.

    The inner one may be renamed, and what it replaces be put beside it meanwhile. It is the outer one that is locked,
    so that writers inside may lock theirs. Where the block ends well, what killed runs left under the same mark goes.
    """
    with _locked(lambda: Path(tempfile.mkdtemp(dir=parent, prefix=mark))) as folder:
        try:
            (folder / "new").mkdir()
            yield folder / "new"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    remove_abandoned(parent, mark)


def remove_abandoned(parent: Path, mark: str, suffix: str = "") -> None:
    """Remove temporaries of this mark and suffix that no process holds; what cannot be removed stays."""
    length = len(mark) + _RANDOM + len(suffix)
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(parent)]
        for name in names:
            if len(name) == length and name.startswith(mark) and name.endswith(suffix):
                _remove_if_free(parent / name)


def _remove_if_free(path: Path) -> None:
    with suppress(ImportError, OSError):
        handle = _open(path)
        try:
            _flock(handle, wait=False)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(handle)


@contextmanager
def _locked(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a temporary and hold its lock; one that another run took for abandoned in between is made again."""
    while True:
        path, handle = make(), None
        with suppress(ImportError, OSError):
            handle = _open(path)
            _flock(handle, wait=True)
        if path.exists():
            break
        if handle is not None:
            os.close(handle)
    try:
        yield path
    finally:
        if handle is not None:
            os.close(handle)


def _open(path: Path) -> int:
    """A handle on a file or folder itself: not on what a link names, and without waiting for a pipe."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _flock(handle: int, wait: bool) -> None:
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

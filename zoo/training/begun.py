"""A run that could not begin leaves nothing that would pass for one."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import OutputError


@contextmanager
def begun(folder: Path, has_checkpoint: Callable[[], object], main: bool) -> Iterator[None]:
    """A block that fills a run's folder; where that fails before the first checkpoint, the folder is as it was.

    Args:
        folder: of the run; it may be missing.
        has_checkpoint: asked after a failure.
        main: whether this process writes.
    """
    before = set(folder.iterdir()) if folder.is_dir() else None
    try:
        yield
    except (OutputError, OSError):
        if main and not has_checkpoint():
            for path in set(folder.iterdir()) - (before or set()) if folder.is_dir() else ():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if before is None and folder.is_dir():
                folder.rmdir()
        raise

"""A folder that appears whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import OutputError
from zoo.files import sha256_of
from zoo.scratch import scratch_folder

_OTHER = "Cannot write the folder {}: one with other content stands there. Remove it, or choose another name."


def check_folder(folder: str | Path, holding: str = "") -> Path:
    """The absolute path, if a folder may be written there; fails before long work, not after it.

    Args:
        folder: the folder.
        holding: a file that must be in it, if there is anything in it.

    Raises:
        OutputError: a file stands there, no folder can be made there, or one with other content is there.
    """
    target = Path(folder).absolute()
    if holding and target.is_dir() and any(target.iterdir()) and not (target / holding).exists():
        raise OutputError(_OTHER.format(target))
    if target.exists() and not target.is_dir():
        raise OutputError(f"Cannot write the folder {target}: it is a file. Choose another name.")
    existing = next(parent for parent in (target, *target.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise refused(target, error) from error
    return target


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill, and rename it to `folder` at the end; on an error nothing is left.

    A folder with the same content may stand there already, from an earlier or a simultaneous run: it stays. What killed
    runs left of this folder goes.

    Raises:
        OutputError: it cannot be written, or one with other content stands there, which stays as it was.
    """
    target = Path(folder).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target.parent, f".{target.name}.part-") as work:
            yield work
            _put(work, target)
    except OSError as error:
        raise refused(target, error) from error


def _put(work: Path, target: Path) -> None:
    """Rename the finished folder into place, unless the same stands there."""
    try:
        work.rename(target)
    except OSError:
        if not target.is_dir() or not any(target.iterdir()):
            raise
        if listing(target) != listing(work):
            raise OutputError(_OTHER.format(target)) from None


def listing(folder: Path) -> dict[str, str]:
    """Every file in a folder with its digest, but for what Python leaves there when it imports a module."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def refused(target: Path, error: OSError) -> OutputError:
    """The error of a folder that the system does not let us write."""
    reason = error.strerror or error
    return OutputError(f"Cannot write the folder {target}: {reason}. Choose a place you may write to, with room.")

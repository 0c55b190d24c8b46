"""Writing files so that nobody ever sees half of one."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import OutputError


def write_atomic(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it into place.

    Returns:
        The absolute path written.

    Raises:
        OutputError: the folder is missing, read-only or full, or `path` is a folder. Whatever stood at `path` stays.
    """
    target = Path(path).absolute()
    if target.is_dir():
        raise OutputError(f"Cannot write {target}: it is a folder. Give the name of a file.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror}. Choose a folder you may write to.") from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as indented JSON, atomically; see `write_atomic`."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return write_atomic(path, lambda file: file.write_text(text, encoding="utf-8"))

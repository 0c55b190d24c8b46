"""The cache of this package, whose folders are used only while nobody else could have put anything into them."""

import atexit
import shutil
import stat
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from zoo.errors import NativeError, OutputError
from zoo.regular import is_own
from zoo.user_folder import user_folder


class NativeCacheWarning(UserWarning):
    """The cache is open to others and not used, or a compiled library in it is damaged and built again."""


def cache_folder() -> Path:
    """Return the folder of the libraries: SALU_ZOO_CACHE, or `salu-zoo` in XDG_CACHE_HOME or in ~/.cache.

    Raises:
        NativeError: there is no home directory to name.
    """
    try:
        return user_folder("SALU_ZOO_CACHE", "XDG_CACHE_HOME", "~/.cache") / "native"
    except OutputError as error:
        raise NativeError(str(error)) from error


def private_folder(name: str) -> Path:
    """A folder of the cache, made if need be: mode 0700, this user's own, or the system's and closed to writing.

    One that belongs to somebody else, or that others may write to, can hold what they put there. In its stead this
    process gets a temporary folder of its own, with a `NativeCacheWarning`.

    Args:
        name: such as "native", for compiled libraries.

    Raises:
        OSError: it cannot be made.
        NativeError: there is no home directory to name.
    """
    folder = cache_folder().parent / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_own(folder):
        with suppress(OSError):  # read-only, or the system's: nobody can write to it all the same
            folder.chmod(0o700)
        return folder
    found = folder.lstat()
    warnings.warn(
        f"{folder} is not this user's alone (owner {found.st_uid}, mode {stat.filemode(found.st_mode)}): others could "
        "put programs there. It is not used, and what is made instead is gone when this process ends. Remove it, or "
        "set SALU_ZOO_CACHE to a folder of your own.",
        NativeCacheWarning,
        stacklevel=3,
    )
    temporary = _temporary_cache() / name
    temporary.mkdir(mode=0o700, exist_ok=True)
    return temporary


@cache
def _temporary_cache() -> Path:
    """One folder for the process, gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="salu-zoo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

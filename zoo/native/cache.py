"""Compiled libraries, kept per user: found again by what they were made from, and checked before they are used."""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zoo._files import sha256_of
from zoo.errors import NativeError
from zoo.native.compiler import Compiler, compile_library, find_compiler
from zoo.native.sources import Sources

_RECORD = "library.json"


class NativeCacheWarning(UserWarning):
    """A compiled library in the cache is not what was put there; it is built again."""


@dataclass(frozen=True)
class NativeLibrary:
    """A compiled library.

    Attributes:
        path: the shared library.
        sha256: of that file.
        source_sha256: of the C++ sources, their flags and the platform.
        version: that of its `Sources`.
        compiler: the first line of the compiler's `--version`.
    """

    path: Path
    sha256: str
    source_sha256: str
    version: int
    compiler: str


def cache_folder() -> Path:
    """Where libraries are kept: SALU_ZOO_CACHE, or `salu-zoo` in XDG_CACHE_HOME or in ~/.cache."""
    own, shared = os.environ.get("SALU_ZOO_CACHE"), os.environ.get("XDG_CACHE_HOME")
    root = Path(own) if own else Path(shared or Path.home() / ".cache") / "salu-zoo"
    return root.expanduser().absolute() / "native"


def library(sources: Sources) -> NativeLibrary:
    """The compiled library for this machine; the first call ever compiles it.

    Kept in the folder `native` of SALU_ZOO_CACHE, or of `salu-zoo` in the user's cache, by a hash of sources, flags,
    platform and compiler. A machine without a compiler uses what is kept there.

    Raises:
        NativeError: nothing is kept and there is no compiler, it refuses, or the cache cannot be written.
    """
    try:
        compiler = find_compiler(sources)
    except NativeError:
        kept = find(sources, None)
        if kept is None:
            raise
        return kept
    return find(sources, compiler) or build(sources, compiler)


def find(sources: Sources, compiler: Compiler | None) -> NativeLibrary | None:
    """The kept library made from `sources` by `compiler`, or by any compiler where none is given.

    A file that is not what was put there counts as missing, with a `NativeCacheWarning`.
    """
    if compiler is not None:
        return _read(_folder(sources, compiler), sources)
    folders = sorted(cache_folder().glob(f"{sources.key()[:24]}-*"))
    return next((library for folder in folders if (library := _read(folder, sources))), None)


def build(sources: Sources, compiler: Compiler) -> NativeLibrary:
    """Compile the library and put it into the cache. Builders at the same time do not disturb each other.

    Raises:
        NativeError: the compiler refuses, or the cache cannot be written.
    """
    folder = _folder(sources, compiler)
    with _workplace(sources) as work:
        compile_library(sources, compiler, work / sources.file)
        for left in work.glob("*.o"):
            left.unlink()
        record = {
            "sha256": sha256_of(work / sources.file),
            "source_sha256": sources.key(),
            "version": sources.version,
            "compiler": compiler.version,
        }
        (work / _RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        _put(work, folder, sources)
    library = _read(folder, sources)
    if library is None:
        raise NativeError(f"{folder} changed while it was being written. Remove it and try again.")
    return library


def _put(work: Path, folder: Path, sources: Sources) -> None:
    """Rename the finished folder into place, unless another builder was first; a damaged one makes way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NativeCacheWarning)  # said when it was looked for
        if _read(folder, sources) is not None:
            return
    aside = Path(tempfile.mkdtemp(dir=cache_folder(), prefix=".damaged-"))
    try:
        if folder.exists():
            folder.rename(aside / folder.name)
        work.rename(folder)
    except OSError:
        if not folder.exists():  # a builder that came first is as good
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read(folder: Path, sources: Sources) -> NativeLibrary | None:
    path = folder / sources.file
    if not folder.is_dir():
        return None
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        library = NativeLibrary(path, **record)
        intact = library.source_sha256 == sources.key() and sha256_of(path) == library.sha256
    except (OSError, ValueError, TypeError):
        intact = False
    if intact:
        return library
    warnings.warn(f"{path} is damaged: it is not the file that was built. Building it again.", NativeCacheWarning, 4)
    return None


def _folder(sources: Sources, compiler: Compiler) -> Path:
    made_by = hashlib.sha256(repr((compiler.command, compiler.version)).encode()).hexdigest()
    return cache_folder() / f"{sources.key()[:24]}-{made_by[:12]}"


@contextmanager
def _workplace(sources: Sources) -> Iterator[Path]:
    """A folder of one's own inside the cache, so that a rename puts the result into place; gone at the end."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=cache, prefix=".building-"))
        work.chmod(0o755)
    except OSError as error:
        raise _refused(sources, cache, error) from error
    try:
        yield work
    except OSError as error:
        raise _refused(sources, cache, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refused(sources: Sources, cache: Path, error: OSError) -> NativeError:
    return NativeError(
        f"{sources.what} are compiled into {cache}, which cannot be written: {error.strerror or error}. "
        "Set SALU_ZOO_CACHE to a folder you may write to."
    )

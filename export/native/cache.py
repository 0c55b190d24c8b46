"""Compiled libraries, kept per user: found again by what they were made from, and checked before they are used."""

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.errors import NativeError
from export.native.compiler import SOURCES, Compiler, compile_library, link_flags, processor, units
from export.native.operators import OP_VERSION
from zoo._files import sha256_of

_LIBRARY, _RECORD = "libsalu_zoo.so", "library.json"


class NativeCacheWarning(UserWarning):
    """A compiled library in the cache is not what was put there; it is built again."""


@dataclass(frozen=True)
class NativeLibrary:
    """A compiled library of the operators.

    Attributes:
        path: the shared library.
        sha256: of that file.
        source_sha256: of the C++ sources, their flags and the platform.
        version: of the operators, as `OP_VERSION`.
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


def sources_digest() -> "hashlib._Hash":
    """SHA-256 over names and content of the C++ sources, to be read or carried on."""
    digest = hashlib.sha256()
    for file in sorted(SOURCES.glob("*.*")):
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest


def source_hash() -> str:
    """SHA-256 over the C++ sources, the flags they are compiled with, the processor, the system and its C library."""
    digest = sources_digest()
    platform_now = (processor(), sys.platform, platform.libc_ver())
    digest.update(repr((units(processor()), link_flags(), platform_now)).encode())
    return digest.hexdigest()


def find(sources: str, compiler: Compiler | None) -> NativeLibrary | None:
    """The kept library made from `sources` by `compiler`, or by any compiler where none is given.

    A file that is not what was put there counts as missing, with a `NativeCacheWarning`.
    """
    if compiler is not None:
        return _read(_folder(sources, compiler), sources)
    folders = sorted(cache_folder().glob(f"{sources[:24]}-*"))
    return next((library for folder in folders if (library := _read(folder, sources))), None)


def build(sources: str, compiler: Compiler) -> NativeLibrary:
    """Compile the library and put it into the cache. Builders at the same time do not disturb each other.

    Raises:
        NativeError: the compiler refuses, or the cache cannot be written.
    """
    folder = _folder(sources, compiler)
    with _workplace() as work:
        compile_library(compiler, work / _LIBRARY)
        for left in work.glob("*.o"):
            left.unlink()
        record = {
            "sha256": sha256_of(work / _LIBRARY),
            "source_sha256": sources,
            "version": OP_VERSION,
            "compiler": compiler.version,
        }
        (work / _RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        _put(work, folder, sources)
    library = _read(folder, sources)
    if library is None:
        raise NativeError(f"{folder} changed while it was being written. Remove it and try again.")
    return library


def _put(work: Path, folder: Path, sources: str) -> None:
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


def _read(folder: Path, sources: str) -> NativeLibrary | None:
    path = folder / _LIBRARY
    if not folder.is_dir():
        return None
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        library = NativeLibrary(path, **record)
        intact = library.source_sha256 == sources and sha256_of(path) == library.sha256
    except (OSError, ValueError, TypeError):
        intact = False
    if intact:
        return library
    warnings.warn(f"{path} is damaged: it is not the file that was built. Building it again.", NativeCacheWarning, 4)
    return None


def _folder(sources: str, compiler: Compiler) -> Path:
    made_by = hashlib.sha256(repr((compiler.command, compiler.version)).encode()).hexdigest()
    return cache_folder() / f"{sources[:24]}-{made_by[:12]}"


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder of one's own inside the cache, so that a rename puts the result into place; gone at the end."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=cache, prefix=".building-"))
        work.chmod(0o755)
    except OSError as error:
        raise _refused(cache, error) from error
    try:
        yield work
    except OSError as error:
        raise _refused(cache, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refused(cache: Path, error: OSError) -> NativeError:
    return NativeError(
        f"The salu_zoo operators are compiled into {cache}, which cannot be written: {error.strerror or error}. "
        "Set SALU_ZOO_CACHE to a folder you may write to."
    )

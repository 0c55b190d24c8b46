"""Compiled libraries, kept per user: found again by what they were made from, and checked before they are used."""

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import NativeError
from zoo.files import sha256_of
from zoo.native.compiler import Compiler, compile_library, find_compiler
from zoo.native.native_library import NativeLibrary
from zoo.native.platforms import this_platform
from zoo.native.prebuilt import advice, brought_library
from zoo.native.private_folder import NativeCacheWarning, cache_folder, private_folder
from zoo.native.sources import Sources
from zoo.scratch import scratch_folder

_RECORD = "library.json"
_ROOM = 2**22
"""Bytes of a file that must find room beside what a compiler left: more than any it writes [ours]."""


def compiled_here(file: str, sha256: str) -> Path | None:
    """The library of this name and digest that this user compiled into the cache, with this release or another.

    Raises:
        NativeError: there is no home directory to name.
    """
    return next((path for path in _kept(f"*/{file}") if NativeLibrary(path, sha256, "", 0, "").intact()), None)


def library(sources: Sources) -> NativeLibrary:
    """The library for this machine: the one that the installed package brought, or one compiled here.

    The first call ever compiles it where none was brought. It is kept in the folder `native` of SALU_ZOO_CACHE, or of
    `salu-zoo` in the user's cache, by a hash of sources, flags, platform and compiler. A machine that cannot compile
    uses what another compiler made. Where that folder is open to others it is built for this process alone; see
    `private_folder`.

    Raises:
        NativeError: the one that was brought is not that of this release; or none was, nothing is kept and there is no
            compiler, it refuses, or the cache cannot be written.
    """
    brought = brought_library(sources, this_platform())
    if brought is not None:
        return brought
    try:
        compiler = find_compiler(sources)
        return find(sources, compiler) or build(sources, compiler)
    except NativeError as error:
        kept = find(sources, None)
        if kept is None:
            raise NativeError(f"{error} {advice()}") from error
        return kept


def find(sources: Sources, compiler: Compiler | None) -> NativeLibrary | None:
    """The kept library made from `sources` by `compiler`, or by any compiler where none is given.

    A file that is not what was put there counts as missing, with a `NativeCacheWarning`.
    """
    if compiler is not None:
        return _read(_folder(sources, compiler), sources)
    folders = _kept(f"{sources.key()[:24]}-*")
    return next((library for folder in folders if (library := _read(folder, sources))), None)


def _kept(pattern: str) -> list[Path]:
    """What the cache holds; nothing where it is not there yet or cannot be read."""
    try:
        return sorted(private_folder("native").glob(pattern)) if cache_folder().exists() else []
    except OSError:
        return []


def build(sources: Sources, compiler: Compiler) -> NativeLibrary:
    """Compile the library and put it into the cache. Builders at the same time do not disturb each other.

    Raises:
        NativeError: the compiler refuses, or the cache cannot be written.
    """
    folder = _folder(sources, compiler)
    with _workplace(sources, folder.parent) as work:
        try:
            compile_library(sources, compiler, work / sources.file)
        except NativeError:
            (work / "room").write_bytes(bytes(_ROOM))  # what fails here is the cause, whatever the compiler made of it
            raise
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
    try:
        work.rename(folder)
        return
    except OSError:
        if not folder.exists():
            raise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NativeCacheWarning)  # said when it was looked for
        if _read(folder, sources) is not None:
            return
    with scratch_folder(folder.parent, ".damaged-") as aside:
        try:
            folder.rename(aside / folder.name)
            work.rename(folder)
        except OSError:
            if not folder.exists():  # a builder that came first is as good
                raise


def _read(folder: Path, sources: Sources) -> NativeLibrary | None:
    path = folder / sources.file
    try:
        if not folder.is_dir():
            return None
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        library = NativeLibrary(path, **record, brought=False)
        intact = library.source_sha256 == sources.key() and library.intact()
    except PermissionError:
        return None  # another user's; where it is built again the system says what is not allowed
    except (OSError, ValueError, TypeError, RecursionError):
        intact = False
    if intact:
        return library
    warnings.warn(f"{path} is damaged: it is not the file that was built. Building it again.", NativeCacheWarning, 4)
    return None


def _folder(sources: Sources, compiler: Compiler) -> Path:
    made_by = hashlib.sha256(repr((compiler.command, compiler.version)).encode()).hexdigest()
    try:
        return private_folder("native") / f"{sources.key()[:24]}-{made_by[:12]}"
    except OSError as error:
        raise _refused(sources, cache_folder(), error) from error


@contextmanager
def _workplace(sources: Sources, cache: Path) -> Iterator[Path]:
    """A folder of one's own inside the cache, so that a rename puts the result into place; gone at the end.

    With it goes what killed builders left.
    """
    try:
        with scratch_folder(cache, ".building-") as work:
            work.chmod(0o700)
            yield work
    except OSError as error:
        raise _refused(sources, cache, error) from error


def _refused(sources: Sources, cache: Path, error: OSError) -> NativeError:
    return NativeError(
        f"{sources.what} are compiled into {cache}, which cannot be written: {error.strerror or error}. "
        "Set SALU_ZOO_CACHE to a folder with room that you may write to."
    )

"""Libraries that the installed package brought, built ahead of time: a wheel has them, a checkout does not.

They are trusted as the package is: the record beside them says what each was made from and its digest, which is
compared before one is loaded. One that does not belong to the sources of this release is an error, never a reason to
look elsewhere.
"""

from functools import cache
from pathlib import Path
from typing import Any

from zoo.documents import json_in
from zoo.errors import NativeError
from zoo.native.native_library import NativeLibrary
from zoo.native.platforms import PLATFORMS, Platform, this_platform
from zoo.native.sources import Sources

FOLDER = Path(__file__).parent / "libraries"
RECORD = "libraries.json"
_FIELDS = {"sha256": str, "source_sha256": str, "version": int, "compiler": str}
_AGAIN = "Install salu-zoo again."


def brought_library(sources: Sources, platform: Platform | None) -> NativeLibrary | None:
    """The library made from `sources` for a platform, if this installation brought one.

    Raises:
        NativeError: it was made from other sources or for another version, was changed, or the record is damaged.
    """
    found = platform and _brought(FOLDER).get(f"{platform.name}/{sources.file}")
    if not found:
        return None
    if (found.version, found.source_sha256) != (sources.version, sources.made_from()):
        raise NativeError(
            f"{found.path} is version {found.version}, made from sources {found.source_sha256[:12]}...; this release "
            f"has version {sources.version}, sources {sources.made_from()[:12]}... {_AGAIN}"
        )
    if not found.intact():
        raise NativeError(
            f"{found.path} is missing, or not the file of this release: its sha256 is not {found.sha256[:12]}... "
            f"{_AGAIN}"
        )
    return found


def brought_here(file: str, sha256: str) -> Path | None:
    """The library of this name and digest that this installation brought for this machine.

    Raises:
        NativeError: the record is damaged.
    """
    here = this_platform()
    found = here and _brought(FOLDER).get(f"{here.name}/{file}")
    return found.path if found and found.sha256 == sha256 and found.intact() else None


def platforms_brought(file: str) -> list[str]:
    """The platforms for which this installation brought a library of this name."""
    return [name for name in PLATFORMS if f"{name}/{file}" in _brought(FOLDER)]


def advice() -> str:
    """Which wheel would bring what has to be compiled here otherwise; for messages."""
    here = this_platform()
    if here is None:
        return f"Wheels of salu-zoo bring it ready to load for {', '.join(PLATFORMS)}, none of which this machine is."
    return f"The wheel of salu-zoo for {here.name} ({here.wheel}) brings it ready to load."


@cache
def _brought(folder: Path) -> dict[str, NativeLibrary]:
    """Every library of the record, by its path below the folder; none where there is no record."""
    if not (folder / RECORD).exists():
        return {}
    try:
        return {file: _library(folder / file, entry) for file, entry in json_in(folder / RECORD)["libraries"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NativeError(f"{folder / RECORD} is damaged: {error!r}. {_AGAIN}") from error


def _library(path: Path, entry: dict[str, Any]) -> NativeLibrary:
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(entry[name], kind)]
    if wrong:
        raise TypeError(f"{path.name}: {', '.join(wrong)}")
    return NativeLibrary(path, **{name: entry[name] for name in _FIELDS}, brought=True)

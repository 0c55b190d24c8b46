"""The compiled operators in a folder: the one for this machine, unchanged, or a sentence about what to do."""

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import EdgeError

BUILD = "operators/build.sh"
BUILT_HERE = "operators/built-here/libsalu_zoo.so"
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


def machine() -> dict[str, str]:
    """System, processor and version of glibc; the last is empty where the C library is another one."""
    kind, version = platform.libc_ver()
    processor = platform.machine().lower()
    return {
        "system": platform.system(),
        "machine": _ALIASES.get(processor, processor),
        "glibc": version if kind == "glibc" else "",
    }


def find_operators(folder: Path, record: Mapping[str, Any]) -> list[Path]:
    """The library with the operators that the model needs.

    Args:
        folder: with the model.
        record: "operators" of bundle.json; empty if the model has none.

    Returns:
        The library, or nothing where none is needed. One that `operators/build.sh` made here is preferred.

    Raises:
        EdgeError: the library in the folder is for another system, processor or newer C library, or was changed.
    """
    if not record:
        return []
    built, given, here = folder / BUILT_HERE, record["library"], machine()
    if built.is_file():
        return [built]
    problem = _problem(given, here)
    if problem:
        raise EdgeError(
            f"The operators in {folder / given['file']} are {problem}. Compile them here, with any C++17 compiler: "
            f"sh {folder / BUILD}"
        )
    return [folder / given["file"]]


def check_digest(file: Path, sha256: str) -> None:
    """Compare a file with the digest it was written with.

    Raises:
        EdgeError: it is missing or another.
    """
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise EdgeError(f"Cannot read {file}: {error.strerror}. Copy the whole folder again.") from error
    if found != sha256:
        raise EdgeError(
            f"{file} is not the file that was exported: sha256 {found[:12]}..., bundle.json says {sha256[:12]}... "
            "Copy the whole folder again."
        )


def _problem(given: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Return the reason why a library does not load here, in words; empty if it should."""
    for name in ("system", "machine"):
        if given[name] != here[name]:
            return f"for {given['system']} on {given['machine']}, this is {here['system']} on {here['machine']}"
    if given["glibc"] and not here["glibc"]:
        return f"for glibc {given['glibc']} or newer, and this system has another C library"
    if given["glibc"] and _numbers(given["glibc"]) > _numbers(here["glibc"]):
        return f"for glibc {given['glibc']} or newer, and this system has {here['glibc']}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

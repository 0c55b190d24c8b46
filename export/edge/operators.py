"""The compiled operators of a folder: the library for this machine, trusted, or a sentence about what to do."""

import hashlib
import os
import platform
import re
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import EdgeError
from .manifest import RECORD, place_of, read_listed

BUILD = "operators/build.sh"
BUILT_HERE = "operators/built-here/libsalu_zoo.so"
TARGETS = ("edge_cpu", "edge_int8")
"""Targets whose files hold operators of our own."""
Own = Callable[[str], Path | None]
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}
_LIBC = re.compile(r"|musl|glibc \d{1,9}(\.\d{1,9})*")


def machine() -> dict[str, str]:
    """System, processor and C library: "glibc" with its version, "musl", or nothing where it is another one."""
    kind, version = platform.libc_ver()
    processor = platform.machine().lower()
    musl = "musl" if "musl" in str(sysconfig.get_config_var("SOABI")) else ""
    return {
        "system": platform.system(),
        "machine": _ALIASES.get(processor, processor),
        "libc": f"glibc {version}" if kind == "glibc" else musl,
    }


def find_operators(folder: Path, record: Mapping[str, Any], own: Own | None, trust: bool) -> list[Path]:
    """The library with the operators that the model needs.

    It is a program that runs with all rights of this process, so one from the folder is taken if it is trusted only.

    Args:
        folder: with the model.
        record: bundle.json.
        own: gives the library of a digest that this installation brought or compiled, if there is one.
        trust: take the one in the folder, as long as it is the one that the manifest lists.

    Returns:
        The library, or nothing where none is needed. One that `operators/build.sh` made here is preferred.

    Raises:
        EdgeError: the library is for another system, processor or newer C library, was changed, is not listed, is none
            of this installation's and not trusted, or the model is for a target without such operators.
    """
    if not record["operators"]:
        return []
    if record["target"] not in TARGETS:
        raise EdgeError(
            f"{folder / RECORD} names a library of operators, which a model for {record['target']!r} does not have. It "
            "is not loaded. Take the folder from where it was made."
        )
    name = _choose(folder, record)
    content = read_listed(folder, name, record["files"])
    found = folder / name if trust else own and own(hashlib.sha256(content).hexdigest())
    if not found:
        raise EdgeError(
            f"{folder / name} is a compiled library that this installation neither brought nor compiled, and loading a "
            "library runs it as a program. Run the model with operators compiled here: zoo predict --model "
            "model.onnx INPUT. Or load it, if you trust whoever made the folder, with --trust-library "
            "(Python: trust_library=True)."
        )
    return [found]


def _choose(folder: Path, record: Mapping[str, Any]) -> str:
    """The name of the library for this machine."""
    if BUILT_HERE in record["files"]:
        return BUILT_HERE
    if os.path.lexists(folder / BUILT_HERE):
        raise EdgeError(
            f"{folder / BUILT_HERE} is not listed in {RECORD}, and is not loaded. If you compiled it, do so again, "
            f"which lists it: sh {folder / BUILD}. If not, remove it."
        )
    given, here = record["operators"].get("libraries"), machine()
    if not isinstance(given, list) or not given or not all(_is_sound(one, here) for one in given):
        raise EdgeError(
            f"{folder / RECORD} does not say which libraries the model has. Copy the whole folder again; if an older "
            "release wrote it, export it again."
        )
    problems = [_problem(one, here) for one in given]
    if all(problems):
        places = ", ".join(str(place_of(folder, one["file"])) for one in given)
        raise EdgeError(
            f"The operators in {places} are {'; and '.join(dict.fromkeys(problems))}. Compile them here, with any "
            f"C++17 compiler: sh {folder / BUILD}"
        )
    return str(given[problems.index("")]["file"])


def _is_sound(given: object, here: Mapping[str, str]) -> bool:
    """True if a record of a library says for which machines it is."""
    texts = isinstance(given, dict) and all(isinstance(given.get(key), str) for key in ("file", *here))
    return isinstance(given, dict) and texts and bool(_LIBC.fullmatch(given["libc"]))


def _problem(given: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Return the reason why a library does not load here, in words; empty if it should."""
    for name in ("system", "machine"):
        if given[name] != here[name]:
            return f"for {given['system']} on {given['machine']}, this is {here['system']} on {here['machine']}"
    (kind, _, wanted), (there, _, found) = given["libc"].partition(" "), here["libc"].partition(" ")
    if kind and (kind != there or _numbers(wanted) > _numbers(found)):
        newer = " or newer" if wanted else ""
        return f"for {given['libc']}{newer}, and this system has {here['libc'] or 'another C library'}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)

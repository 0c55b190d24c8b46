"""Our operators in a folder: the libraries that were asked for, what they need, and the sources to compile others."""

import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.edge.operators import BUILD, BUILT_HERE, machine
from export.native import library, library_for
from export.native.compile_operators import COMMON, SOURCES, units
from export.native.operator_identity import check_operators
from zoo.errors import NativeError
from zoo.files import sha256_of
from zoo.native import NativeLibrary, Platform
from zoo.native.platforms import version_numbers

FOLDER = "operators"
_PROCESSORS = ("x86_64", "aarch64")


def write_operators(
    folder: Path, record: dict[str, Any], file: str, platforms: Sequence[Platform] = ()
) -> dict[str, Any]:
    """Put the compiled operators, their sources and a script that compiles them into `folder`/operators.

    Args:
        folder: where the model lies.
        record: the operators that the model was exported for.
        file: the model, for messages.
        platforms: for which machines; by default for this one.

    Returns:
        The record with "libraries": of each its file, and the system, processor and C library that it runs on.

    Raises:
        NativeError: the operators here are others, cannot be compiled, or there are none for a platform.
    """
    check_operators(record, file)
    asked = [({"system": p.system, "machine": p.machine, "libc": p.libc}, library_for(p)) for p in platforms]
    libraries = []
    for place, built in asked or [(machine(), library())]:
        names = [place["system"], place["machine"], *(["musl"] if place["libc"] == "musl" else [])]
        name = f"{FOLDER}/{'-'.join(names)}/{built.path.name}"
        copy_library(built, folder / name)
        libraries.append(place | {"file": name, "libc": needed_libc(folder / name, place["libc"])})
    sources = folder / FOLDER / "cpp"
    sources.mkdir()
    for source in sorted(SOURCES.glob("*.*")):
        shutil.copyfile(source, sources / source.name)
    (folder / BUILD).write_text(build_script(), "utf-8")
    return record | {"libraries": libraries}


def write_library(place: Path, record: dict[str, Any], file: str) -> None:
    """Copy the operators' library for this machine to `place`.

    Args:
        place: the file to write; its folder is made.
        record: the operators that a model was exported for.
        file: the model, for messages.

    Raises:
        NativeError: the operators here are others, or cannot be compiled.
    """
    check_operators(record, file)
    copy_library(library(), place)


def copy_library(built: NativeLibrary, place: Path) -> None:
    """Copy a library to `place`, whose folder is made.

    Raises:
        NativeError: what was copied is not what was built.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(built.path, place)
    if sha256_of(place) != built.sha256:
        raise NativeError(f"{built.path} changed while it was copied. Try again.")


def needed_libc(file: Path, libc: str) -> str:
    """The C library that a file needs, glibc in the oldest version that has all functions it uses; "" if it needs none.

    Args:
        file: a library.
        libc: the C library it was built for, as `machine` says it.
    """
    if not libc.startswith("glibc"):
        return libc
    found = re.findall(rb"GLIBC_(\d+(?:\.\d+)+)\0", file.read_bytes())
    return f"glibc {max((version.decode() for version in found), key=version_numbers)}" if found else ""


def build_script() -> str:
    """A shell script that compiles the sources on another machine, with the flags they are compiled with here."""
    cases = [f"  {name}) set -- {_steps(name)} ;;" for name in _PROCESSORS] + [f"  *) set -- {_steps('')} ;;"]
    return f"""#!/bin/sh
# Compiles the operators for this machine; run.py then uses them: they are listed in bundle.json.
# The compiler is c++ or what CXX names, for C++17; python3 or what PYTHON names writes the list.
set -e
cd "$(dirname "$0")/cpp"
output="../{Path(BUILT_HERE).relative_to(FOLDER).as_posix()}"
case "$(uname -m | sed 's/^arm64$/aarch64/; s/^amd64$/x86_64/')" in
{chr(10).join(cases)}
esac
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for unit in "$@"; do
  name="${{unit%%:*}}"
  ${{CXX:-c++}} {shlex.join(COMMON)} ${{unit#*:}} -c "$name.cpp" -o "$work/$name.o"
done
mkdir -p "$(dirname "$output")"
case "$(uname -s)" in
  Darwin) link="-dynamiclib" ;;
  *) link="-shared -s -Wl,-z,nodelete -Wl,-z,defs -Wl,--as-needed" ;;
esac
${{CXX:-c++}} $link "$work"/*.o -o "$work/built"
mv "$work/built" "$output"
(cd ../.. && "${{PYTHON:-python3}}" -m edge.manifest {BUILT_HERE})
echo "built $output"
"""


def _steps(processor: str) -> str:
    """One word "name:flags beyond the common ones" for each source of a processor."""
    extra = ((name, [flag for flag in flags if flag not in COMMON]) for name, flags in units(processor).items())
    return " ".join(shlex.quote(f"{name}:{' '.join(flags)}") for name, flags in extra)

"""Our operators in a folder: the library compiled here, what it needs, and the sources to compile it elsewhere."""

import platform
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from export.edge.operators import BUILD, BUILT_HERE, machine
from export.native import library
from export.native.compile_operators import COMMON, SOURCES, units
from export.native.operator_identity import check_operators

FOLDER = "operators"
_PROCESSORS = ("x86_64", "aarch64")


def write_operators(folder: Path, record: dict[str, Any], file: str) -> dict[str, Any]:
    """Put the compiled operators, their sources and a script that compiles them into `folder`/operators.

    Args:
        folder: where the model lies.
        record: the operators that the model was exported for.
        file: the model, for messages.

    Returns:
        The record with "library": its file, and the system, processor and glibc that it runs on.

    Raises:
        NativeError: the operators here are others, or cannot be compiled.
    """
    here = machine()
    name = f"{FOLDER}/{here['system']}-{here['machine']}/libsalu_zoo.so"
    write_library(folder / name, record, file)
    sources = folder / FOLDER / "cpp"
    sources.mkdir()
    for source in sorted(SOURCES.glob("*.*")):
        shutil.copyfile(source, sources / source.name)
    (folder / BUILD).write_text(build_script(), "utf-8")
    return record | {"library": here | {"file": name, "glibc": needed_glibc(folder / name)}}


def write_library(place: Path, record: dict[str, Any], file: str) -> None:
    """Copy the operators' library, compiled for this machine, to `place`.

    Args:
        place: the file to write; its folder is made.
        record: the operators that a model was exported for.
        file: the model, for messages.

    Raises:
        NativeError: the operators here are others, or cannot be compiled.
    """
    check_operators(record, file)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(library().path, place)


def needed_glibc(file: Path) -> str:
    """The newest version of glibc whose functions a library uses; empty if it uses none of a version, as on macOS."""
    if platform.libc_ver()[0] != "glibc":
        return ""
    found = re.findall(rb"GLIBC_(\d+(?:\.\d+)+)\0", file.read_bytes())
    return max((version.decode() for version in found), key=lambda v: tuple(map(int, v.split("."))), default="")


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

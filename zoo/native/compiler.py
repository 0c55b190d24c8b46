"""The user's C++ compiler: which one, and how it is run."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import NativeError
from zoo.native.sources import Sources, processor

__all__ = [
    "Compiler",
    "compile_library",
    "compile_objects",
    "compiler_of",
    "find_compiler",
    "processor",
    "run_compiler",
]


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: the command that starts it and the first line it says about its version."""

    command: tuple[str, ...]
    version: str


def find_compiler(sources: Sources) -> Compiler:
    """The compiler that CXX names, or else the first of c++, g++ and clang++ on the path.

    Args:
        sources: what it is for; messages say so.

    Raises:
        NativeError: there is none, CXX names none, it does not run, or the system is Windows.
    """
    if sys.platform == "win32":
        raise NativeError(f"{sources.what} are not built on Windows. Use WSL, or {sources.instead}.")
    try:
        named = shlex.split(os.environ.get("CXX", ""))
    except ValueError as error:
        raise NativeError(f"CXX={os.environ['CXX']} is no command: {error}. Correct CXX.") from error
    for command in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        program = shutil.which(command[0])
        if program:
            return compiler_of((program, *command[1:]))
    looked = f"CXX={shlex.join(named)}" if named else "c++, g++ and clang++"
    raise NativeError(
        f"{sources.what} are compiled on first use, and no C++ compiler was found (looked for {looked}). "
        "Install one (Debian: apt install g++; macOS: xcode-select --install), point CXX to it, or "
        f"{sources.instead}."
    )


def compile_library(sources: Sources, compiler: Compiler, output: Path) -> None:
    """Compile the library into `output`; objects are written beside it.

    Raises:
        NativeError: the compiler refuses; the message holds the first lines of what it says.
    """
    objects = compile_objects(sources, compiler, output.parent)
    run_compiler(sources, compiler, (*map(str, objects), *sources.link_flags(), "-o", str(output)), output.parent)


def compile_objects(sources: Sources, compiler: Compiler, folder: Path, extra: tuple[str, ...] = ()) -> list[Path]:
    """Compile every source into `folder`, with its own flags and `extra`.

    Raises:
        NativeError: as for `compile_library`.
    """
    objects = []
    for name, flags in sources.units.items():
        objects.append(folder / f"{name}.o")
        run_compiler(sources, compiler, (*flags, *extra, "-c", f"{name}.cpp", "-o", str(objects[-1])), folder)
    return objects


def run_compiler(sources: Sources, compiler: Compiler, arguments: tuple[str, ...], scratch: Path) -> None:
    """Run the compiler in the folder of the sources; what it writes in between goes to `scratch`.

    Raises:
        NativeError: it fails; the message holds the first lines of what it says.
    """
    done = _run((*compiler.command, *arguments), sources.folder, {"TMPDIR": str(scratch)})
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[:12])
        raise NativeError(
            f"{compiler.command[0]} ({compiler.version}) could not build {sources.what[0].lower()}"
            f"{sources.what[1:]}:\n{said}\nInstall it completely (Debian: apt install g++; macOS: xcode-select "
            f"--install), point CXX to a newer one, or {sources.instead}."
        )


def compiler_of(command: tuple[str, ...]) -> Compiler:
    """The compiler that a command starts.

    Raises:
        NativeError: it does not start, or does not say its version.
    """
    done = _run((*command, "--version"))
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise NativeError(f"{shlex.join(command)} --version failed, so it is no C++ compiler. Correct CXX.")
    return Compiler(command, lines[0])


def _run(
    command: tuple[str, ...], folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(variables or {})}
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise NativeError(f"{command[0]} does not start: {error.strerror}. Point CXX to a C++ compiler.") from error

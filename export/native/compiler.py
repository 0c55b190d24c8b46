"""The user's C++ compiler: which one, and what it is told."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from export.errors import NativeError

SOURCES = Path(__file__).parent / "cpp"
# -ffast-math is out: linked in, it would switch the whole process to flushing denormal numbers to zero. Contraction is
# off, so that only the explicit multiply-adds are fused and the tail of an array rounds as its body does.
COMMON = (
    *("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
)
_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
_PLAIN = ("portable", "dispatch", "parameters", "ranges")
_ONNX_RUNTIME = ("node", "registration", "library")
# Sources beyond those, by processor, each with flags of its own; which of them runs is settled when it runs.
_PROCESSORS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {"avx2": _AVX2, "avx512": _AVX512, "vbmi": (*_AVX512, "-mavx512vbmi")},
    "aarch64": {"neon": ()},
}
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: the command that starts it and the first line it says about its version."""

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """The compiler that CXX names, or else the first of c++, g++ and clang++ on the path.

    Raises:
        NativeError: there is none, CXX names none, it does not run, or the system is Windows.
    """
    if sys.platform == "win32":
        raise NativeError(
            "The salu_zoo operators are not built on Windows. Use WSL, or a target without custom operators."
        )
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        program = shutil.which(command[0])
        if program:
            return Compiler((program, *command[1:]), _version((program, *command[1:])))
    looked = f"CXX={shlex.join(named)}" if named else "c++, g++ and clang++"
    raise NativeError(
        f"The salu_zoo operators are compiled on first use, and no C++ compiler was found (looked for {looked}). "
        "Install one (Debian: apt install g++; macOS: xcode-select --install), point CXX to it, or use a target "
        "without custom operators."
    )


def processor() -> str:
    """This machine's kind of processor, as compilers call it."""
    machine = platform.machine().lower()
    return _ALIASES.get(machine, machine)


def units(machine: str, with_runtime: bool = True) -> dict[str, tuple[str, ...]]:
    """The C++ sources for a processor, without ".cpp", each with its flags.

    Args:
        machine: as `processor` gives it; one that is not known gets the portable kernels only.
        with_runtime: also what talks to ONNX Runtime; the kernels alone need not.
    """
    plain = (*_PLAIN, *(_ONNX_RUNTIME if with_runtime else ()))
    own = _PROCESSORS.get(machine, {})
    return dict.fromkeys(plain, COMMON) | {name: (*COMMON, *flags) for name, flags in own.items()}


def compile_library(compiler: Compiler, output: Path) -> None:
    """Compile the library into `output`; objects are written beside it.

    Raises:
        NativeError: the compiler refuses; the message holds the first lines of what it says.
    """
    objects = compile_objects(compiler, output.parent)
    run_compiler(compiler, (*link_flags(), *map(str, objects), "-o", str(output)))


def compile_objects(compiler: Compiler, folder: Path, extra: tuple[str, ...] = ()) -> list[Path]:
    """Compile every source for this processor into `folder`, with its own flags and `extra`.

    Raises:
        NativeError: as for `compile_library`.
    """
    objects = []
    for name, flags in units(processor()).items():
        objects.append(folder / f"{name}.o")
        run_compiler(compiler, (*flags, *extra, "-c", f"{name}.cpp", "-o", str(objects[-1])))
    return objects


def link_flags() -> tuple[str, ...]:
    """How the objects become a library that stays loaded: a session may outlive the options that brought it."""
    if sys.platform == "darwin":
        return ("-dynamiclib",)
    return ("-shared", "-s", "-Wl,-z,nodelete", "-Wl,-z,defs", "-Wl,--as-needed")


def run_compiler(compiler: Compiler, arguments: tuple[str, ...]) -> None:
    """Run the compiler in the folder of the sources.

    Raises:
        NativeError: it fails; the message holds the first lines of what it says.
    """
    done = _run((*compiler.command, *arguments))
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[:12])
        raise NativeError(
            f"{compiler.command[0]} ({compiler.version}) could not build the salu_zoo operators:\n{said}\n"
            "Point CXX to a newer compiler, or use a target without custom operators."
        )


def _version(command: tuple[str, ...]) -> str:
    done = _run((*command, "--version"))
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise NativeError(f"{shlex.join(command)} --version failed, so it is no C++ compiler. Correct CXX.")
    return lines[0]


def _run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=SOURCES, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise NativeError(f"{command[0]} does not start: {error.strerror}. Point CXX to a C++ compiler.") from error

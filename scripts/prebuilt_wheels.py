"""Wheels with the ONNX operators and the CPU kernels ready to load, for each platform, and one with sources alone.

    python scripts/prebuilt_wheels.py --output dist linux-x86-64 linux-aarch64

zig (`pip install ziglang`) compiles for all of them on any machine; --cxx names another compiler for one. A wheel has
the kernels of its platform, and the operators of all that are built with it, for `zoo export --bundle --for`.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from export.deliver.bundle.bundle_operators import needed_libc  # noqa: E402
from export.native.compile_operators import operator_sources  # noqa: E402
from zoo.errors import NativeError  # noqa: E402
from zoo.files import sha256_of  # noqa: E402
from zoo.kernels.cpu.compiled import INSTRUCTIONS, sources  # noqa: E402
from zoo.native import PLATFORMS, Compiler, Platform, Sources, run_compiler  # noqa: E402
from zoo.native.compiler import compile_objects, compiler_of  # noqa: E402
from zoo.native.platforms import suffices  # noqa: E402

ZIG = [sys.executable, "-m", "ziglang"]


def main() -> None:
    """Build the wheels asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=f"default: all of {', '.join(PLATFORMS)}")
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER", help="default: dist")
    parser.add_argument("--cxx", help="a C++ compiler for the one platform given; default: zig")
    given = parser.parse_args()
    names = list(dict.fromkeys(given.platforms)) or list(PLATFORMS)
    if unknown := set(names) - set(PLATFORMS):
        parser.error(f"no platform of the name {', '.join(sorted(unknown))}; there are {', '.join(PLATFORMS)}")
    if given.cxx and len(names) != 1:
        parser.error(f"--cxx compiles for one platform, and {len(names)} are given")
    if not given.cxx and find_spec("ziglang") is None:
        parser.error("zig compiles for all platforms and is not installed: pip install ziglang; or give --cxx")
    output = given.output.absolute()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            built = {name: build(PLATFORMS[name], Path(scratch), shlex.split(given.cxx or "")) for name in names}
        except NativeError as error:
            sys.exit(str(error))
        for name in names:
            wheel(built, PLATFORMS[name], Path(scratch), output)
    wheel({}, None, output, output)


def build(platform: Platform, folder: Path, cxx: list[str]) -> dict[str, dict[str, object]]:
    """Build the libraries of a platform below `folder`; for each its entry in the record.

    Raises:
        NativeError: the compiler is missing or refuses, or a library needs a newer C library than the wheel promises.
    """
    (folder / platform.name).mkdir()
    entries = {}
    for instructions, made in _wanted(platform.machine):
        print(f"{platform.name}: {made.what} ({instructions})", flush=True)
        file = folder / platform.name / made.file
        compiler = _build(made, platform, file, cxx)
        needed = needed_libc(file, platform.libc)
        if not suffices(platform.libc, needed):
            raise NativeError(
                f"{file.name} needs {needed}, and wheels for {platform.name} promise to run "
                f"with {platform.libc}. Compile on an older system, or with zig."
            )
        entries[f"{platform.name}/{made.file}"] = {
            "instructions": instructions,
            "sha256": sha256_of(file),
            "source_sha256": made.made_from(),
            "version": made.version,
            "compiler": compiler,
        }
    return entries


def _wanted(machine: str) -> Iterator[tuple[str, Sources]]:
    """What to build for a processor: instructions, and sources with flags."""
    operators = operator_sources(machine)
    yield "chosen when it runs", operators
    for instructions in INSTRUCTIONS[machine]:
        yield instructions, sources(instructions)


def _build(made: Sources, platform: Platform, file: Path, cxx: list[str]) -> str:
    """Compile one library into `file`; the compiler's first line about itself."""
    version = compiler_of(tuple(cxx or [*ZIG, "c++"])).version  # with a target, zig may leave a file here
    target = f"--target={platform.triple}"
    compile_by = Compiler(tuple(cxx or [*ZIG, "c++", target]), version)
    # Linked as C: the libraries need no C++ runtime, and zig would build its own first.
    link_by = Compiler(tuple(cxx or [*ZIG, "cc", target]), version)
    if platform.system == "Windows":  # where all code can be moved, and the flag is an error
        made = replace(
            made, units={name: tuple(flag for flag in flags if flag != "-fPIC") for name, flags in made.units.items()}
        )
    with tempfile.TemporaryDirectory() as work:
        objects = compile_objects(made, compile_by, Path(work))
        output = Path(work, file.name)
        run_compiler(
            made, link_by, (*map(str, objects), *made.link_flags(platform.system), "-o", str(output)), Path(work)
        )
        shutil.move(output, file)
    return version


def wheel(
    built: dict[str, dict[str, dict[str, object]]], platform: Platform | None, folder: Path, output: Path
) -> None:
    """Write the wheel for a platform, or the pure one, into `output`.

    Raises:
        CalledProcessError: hatchling, whose message is printed, cannot build it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "SALU_ZOO_LIBRARIES"}
    if platform is not None:
        operators = {
            file: entry
            for entries in built.values()
            for file, entry in entries.items()
            if file.endswith("/" + operator_sources().file)
        }
        record = {"wheel": platform.wheel, "libraries": operators | built[platform.name]}
        (folder / "libraries.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        environment["SALU_ZOO_LIBRARIES"] = str(folder)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, env=environment)


if __name__ == "__main__":
    main()

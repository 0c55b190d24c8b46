"""Building and running driver.cpp: the kernels in a program of their own, for sanitizers, valgrind and emulators."""

import os
import struct
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from native_cases import Case, make_cases

from export.native import OPERATORS
from export.native.compile_operators import SOURCES, operator_sources, units
from zoo.native import Compiler, run_compiler

FLOAT_NAMES = [name for name, spec in OPERATORS.items() if spec.element == "float32"]


def build_driver(
    compiler: Compiler, folder: Path, machine: str, flags: tuple[str, ...] = (), link: tuple[str, ...] = ()
) -> Path:
    """Compile the kernels for `machine`, each source with its own flags and `flags`, and link the driver."""
    objects = []
    sources = {str(SOURCES / f"{name}.cpp"): own for name, own in units(machine, with_runtime=False).items()}
    sources[str(Path(__file__).with_name("driver.cpp"))] = ("-std=c++17", "-O1")
    for source, own in sources.items():
        objects.append(str(folder / f"{Path(source).stem}.o"))
        arguments = (*own, *flags, f"-I{SOURCES}", "-c", source, "-o", objects[-1])
        run_compiler(operator_sources(), compiler, arguments, folder)
    driver = folder / "driver"
    run_compiler(operator_sources(), compiler, (*flags, *link, *objects, "-o", str(driver)), folder)
    return driver


@cache
def some_cases(count: int, largest: int = 200) -> list[Case]:
    return [case for name in OPERATORS for case in make_cases(name, count, seed=1, largest=largest)]


def run_driver(command: list[str], cases: list[Case], isa: str | None = None) -> str:
    """Run all cases, check every result, and return what the driver wrote to standard error."""
    environment = {key: value for key, value in os.environ.items() if key != "SALU_ZOO_ISA"}
    environment |= {"SALU_ZOO_ISA": isa} if isa else {}
    content = b"".join(_packed(case) for case in cases)
    done = subprocess.run(command, input=content, capture_output=True, env=environment, timeout=1800)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    offset = 0
    for case in cases:
        kind, shape = case.inputs[0].dtype, case.expected.shape
        found = np.frombuffer(done.stdout, kind, case.expected.size, offset).reshape(shape)
        case.check(found)
        offset += found.nbytes
    assert offset == len(done.stdout)
    return said


def _packed(case: Case) -> bytes:
    """The driver's header and the inputs of a case."""
    spec, at = OPERATORS[case.name], case.attributes
    quantised = spec.element == "uint8"
    pairs = [float(at.get(key, 1.0)) for key in "acbd"]
    scales = [float(at.get(f"{t}_scale", 1.0)) for t in "xry"]
    zeros = [int(at.get(f"{t}_zero_point", 0)) for t in "xry"]
    x, second, third = (case.inputs + [np.zeros(0, case.inputs[0].dtype)] * 2)[:3]
    shape = [0, 0, 0, 0, 0, 0]
    if "axis" in at:
        axis = int(at["axis"]) % x.ndim
        channels = x.shape[axis]
        steps = [channels if value.shape[:1] == x.shape[:1] and x.shape[0] != 1 else 0 for value in (second, third)]
        block, inner = int(at["block"]), int(np.prod(x.shape[axis + 1 :]))
        shape = [1, int(np.prod(x.shape[1:axis])), channels, inner, *steps]
        if block > 1:
            shape = [channels // block, inner, block, 1, *steps]
    header = struct.pack(
        "=2q4d3d3q10q",
        FLOAT_NAMES.index(spec.of or case.name),
        quantised,
        *pairs,
        *scales,
        *zeros,
        x.size,
        *shape,
        second.size,
        third.size,
        case.expected.size,
    )
    return header + x.tobytes() + second.tobytes() + third.tobytes()

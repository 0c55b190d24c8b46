"""The kernels under sanitizers and valgrind, and those for ARM under an emulator."""

import shutil
import subprocess

import pytest
from native_driver import build_driver, run_driver, some_cases

from zoo.errors import NativeError
from zoo.native import Compiler, processor

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g")
ARM_COMPILER, ARM_EMULATORS = "aarch64-linux-gnu-g++", ("qemu-aarch64-static", "qemu-aarch64")


def program(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"{' or '.join(names)} is not installed")


def isas(driver) -> list[str]:
    """Those of the sets of instructions that the driver's processor has."""
    known = ("portable", "avx2", "avx512", "neon")

    def works(name: str) -> bool:
        return subprocess.run([driver], env={"SALU_ZOO_ISA": name}, input=b"", capture_output=True).returncode == 0

    return [name for name in known if works(name)]


@pytest.mark.slow
def test_sanitizers(compiler, tmp_path):
    """AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer find nothing in any set of instructions."""
    try:
        driver = build_driver(compiler, tmp_path, processor(), SANITIZERS)
    except NativeError as error:
        pytest.skip(f"this compiler has no sanitizers: {str(error)[:200]}")
    sets = isas(driver)
    assert "portable" in sets
    for name in sets:
        assert run_driver([str(driver)], some_cases(60), name).strip() == name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["portable", "avx2"])
def test_valgrind(compiler, tmp_path, name):
    """valgrind finds nothing; it does not know AVX-512, which the sanitizers cover."""
    valgrind = program("valgrind")
    driver = build_driver(compiler, tmp_path, processor(), ("-g",))
    if name not in isas(driver):
        pytest.skip(f"this processor has no {name}")
    command = [valgrind, "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=all", str(driver)]
    assert run_driver(command, some_cases(12, largest=150), name).strip() == name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["portable", "neon"])
def test_arm(tmp_path, name):
    """1,000 inputs of every operator with the kernels for 64-bit ARM, cross-compiled and emulated."""
    compiler = Compiler((program(ARM_COMPILER),), "cross")
    emulator = program(*ARM_EMULATORS)
    driver = build_driver(compiler, tmp_path, "aarch64", link=("-static",))
    assert run_driver([emulator, str(driver)], some_cases(1000), name).strip() == name

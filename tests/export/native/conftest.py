"""The compiled library, built once for all tests into a folder of their own."""

import os
import subprocess
import sys

import pytest

from export.native import instruction_set, library
from export.native.compiler import operator_sources
from zoo.errors import NativeError
from zoo.native import find_compiler, processor

# Of this kind of processor; one that lacks AVX-512, say, skips that part.
ISAS = {"x86_64": ("portable", "avx2", "avx512"), "aarch64": ("portable", "neon")}.get(processor(), ("portable",))


@pytest.fixture(scope="session")
def native_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("native-cache")


@pytest.fixture(scope="session")
def compiler():
    try:
        return find_compiler(operator_sources())
    except NativeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(native_cache, compiler):
    """Built by `python -m export.native` in a process of its own, as an image would be prepared."""
    environment = {**os.environ, "SALU_ZOO_CACHE": str(native_cache)}
    done = subprocess.run(
        [sys.executable, "-m", "export.native"], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def native(built, native_cache, monkeypatch):
    """The library, found by `library()` in the tests' folder."""
    monkeypatch.setenv("SALU_ZOO_CACHE", str(native_cache))
    monkeypatch.delenv("SALU_ZOO_ISA", raising=False)
    return library()


@pytest.fixture(params=ISAS)
def isa(request, native, monkeypatch):
    """Each set of instructions this processor has, chosen for the test."""
    monkeypatch.setenv("SALU_ZOO_ISA", request.param)
    try:
        return instruction_set(native)
    except NativeError:
        pytest.skip(f"this processor has no {request.param}")

"""The compiled library, built once for all tests into a folder of their own."""

import os
import subprocess
import sys

import pytest

from export.native import instruction_set, library
from zoo.errors import NativeError
from zoo.native import processor

# Of this kind of processor; one that lacks AVX-512, say, skips that part.
ISAS = {"x86_64": ("portable", "avx2", "avx512"), "aarch64": ("portable", "neon")}.get(processor(), ("portable",))


@pytest.fixture(scope="session")
def built(compiled_cache):
    """What `python -m export.native` says in a process of its own, as an image would be prepared."""
    environment = {**os.environ, "SALU_ZOO_CACHE": str(compiled_cache)}
    done = subprocess.run(
        [sys.executable, "-m", "export.native"], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def native(compiled_cache, monkeypatch):
    """The library, found by `library()` in the tests' folder."""
    monkeypatch.setenv("SALU_ZOO_CACHE", str(compiled_cache))
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

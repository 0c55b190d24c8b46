"""The library of the CPU's kernels: where it is to be had, and that it runs on torch's own threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from zoo.errors import NativeError
from zoo.kernels import cpu
from zoo.kernels.cpu import compiled

from .cpu_cases import needs_kernels

ROOT = Path(__file__).resolve().parents[2]

THREADS = """
import os, torch
from zoo.kernels import cpu
from zoo.kernels.cpu import compiled

def tasks():
    return len(os.listdir("/proc/self/task"))

def runtimes():
    paths = {line.split()[-1] for line in open("/proc/self/maps") if "/" in line}
    return sorted(p for p in paths if any(name in os.path.basename(p) for name in ("libgomp", "libomp", "libiomp")))

x, one = torch.ones(1 << 20), torch.ones(())
torch.set_num_threads(1)
before, linked = tasks(), runtimes()
cpu.forward("salu", [x, one, one])
assert tasks() == before, "one thread was asked for"
torch.set_num_threads(2)
cpu.forward("salu", [x, one, one])
print(tasks() - before)
assert runtimes() == linked, (linked, runtimes())
print(len(linked))
torch.relu(x + 1)
print(tasks() - before)
"""


@pytest.fixture
def anew() -> object:
    """`available` and `kernels` ask again, and once more after the test."""
    found = (compiled.available, compiled.kernels)
    for function in found:
        function.cache_clear()
    yield
    for function in found:
        function.cache_clear()


@needs_kernels
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_threads_are_those_of_torch_and_of_its_own_runtime() -> None:
    """Two threads where torch has two, which torch then uses itself; and no second OpenMP runtime."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # numpy starts none of its own then
    done = subprocess.run(
        [sys.executable, "-c", THREADS], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    started, runtimes, after = map(int, done.stdout.split())
    assert runtimes == 1
    assert started == 1
    assert after == started


@needs_kernels
def test_small_tensors_take_one_thread() -> None:
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert compiled.threads(2**15 - 1) == (1, None)
        count, team = compiled.threads(2**15)
        assert count == 2
        assert team
    finally:
        torch.set_num_threads(torch_threads)


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(
    ("where", "name", "value", "reason"),
    [
        (sys, "platform", "win32", "Windows"),
        (sys, "byteorder", "big", "this is big-endian"),
        (compiled, "processor", lambda: "riscv64", "little-endian riscv64"),
        (torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT", "capability DEFAULT"),
    ],
    ids=["system", "byte order", "processor", "vectors"],
)
def test_reasons(where: object, name: str, value: object, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "get_cpu_capability" and compiled.processor() != "x86_64":
        pytest.skip("torch's capability matters on x86-64 only")
    monkeypatch.setattr(where, name, value)
    assert reason in str(cpu.available())


@pytest.mark.usefixtures("anew")
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`available` says so before anything is compiled; what was compiled before goes on."""
    if compiled.vectors() is None:
        pytest.skip("no vectors for this processor")
    kept = cpu.available() is None
    if kept:
        compiled.kernels()
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    compiled.available.cache_clear()
    if kept:
        assert cpu.available() is None
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path))
    compiled.available.cache_clear()
    compiled.kernels.cache_clear()
    assert "no C++ compiler was found" in str(cpu.available())
    one = torch.ones(())
    with pytest.raises(NativeError, match="no C"):
        cpu.forward("salu", [one, one, one])


@pytest.mark.usefixtures("anew")
def test_a_processor_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "vectors", lambda: None)
    one = torch.ones(())
    with pytest.raises(NativeError, match="AVX2"):
        cpu.forward("salu", [one, one, one])

"""Where the kernels cannot be had the definitions run: one warning per process says what was found and what to do."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from zoo.activations import SALU, SWALU, fles, salu
from zoo.errors import ConfigurationError, NativeError
from zoo.kernels import cpu, selection
from zoo.kernels.cpu import compiled
from zoo.kernels.selection import KernelWarning
from zoo.native import library

from .cpu_cases import needs_kernels

pytestmark = needs_kernels
LARGE = selection.WORTH_ON_CPU
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a process that has asked for no kernel yet, with an empty cache."""
    remembered = (compiled.available, compiled.kernels, selection._cpu, selection._warn_once)
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    for function in remembered:
        function.cache_clear()
    yield
    for function in remembered:
        function.cache_clear()


def compiler(folder: Path, patch: pytest.MonkeyPatch, does: str) -> None:
    """CXX is a program that knows its version, and else does this."""
    path = folder / "cxx"
    path.write_text(f'#!/bin/sh\ntest "$1" = --version && echo cxx 0.1 && exit 0\n{does}\n', "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    patch.setenv("CXX", str(path))


def no_compiler(folder: Path, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("PATH", str(folder))
    return r"no C\+\+ compiler was found .*Install one"


def no_headers(folder: Path, patch: pytest.MonkeyPatch) -> str:
    compiler(folder, patch, "echo cstdint: No such file >&2; exit 1")
    return r"(?s)cxx 0\.1\) could not build.*cstdint: No such file.*Install it completely"


def no_linker(folder: Path, patch: pytest.MonkeyPatch) -> str:
    compiler(folder, patch, 'for a; do test "$a" = -c && exit 0; done; echo cannot find ld >&2; exit 1')
    return "(?s)could not build.*cannot find ld.*Install it completely"


def unreadable_command(folder: Path, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("CXX", 'g++ "')
    return 'CXX=g.. " is no command.*Correct CXX'


def no_folder(folder: Path, patch: pytest.MonkeyPatch) -> str:
    (folder / "cache").write_text("a file in the way", "utf-8")
    return "which cannot be written: .*Set SALU_ZOO_CACHE"


def no_home(folder: Path, patch: pytest.MonkeyPatch) -> str:
    """As `docker run --user 12345`: no HOME, and a user that no list knows."""
    for variable in ("HOME", "SALU_ZOO_CACHE", "XDG_CACHE_HOME"):
        patch.delenv(variable, raising=False)
    patch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    return "HOME is not set.*Set SALU_ZOO_CACHE"


def noexec(folder: Path, patch: pytest.MonkeyPatch) -> str:
    """The library is there, and does not load."""
    compiler(folder, patch, 'while test "$1" != -o; do shift; done; echo no program > "$2"')
    patch.setattr(os, "statvfs", lambda path: type("", (), {"f_flag": os.ST_NOEXEC}))
    return "does not load.*mounted noexec: set SALU_ZOO_CACHE"


CAUSES = [no_compiler, no_headers, no_linker, unreadable_command, no_folder, no_home, noexec]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_the_definition_runs_and_the_cause_is_named_once(cause, tmp_path, monkeypatch) -> None:
    said = cause(tmp_path, monkeypatch)
    x = torch.randn(2, LARGE // 2, requires_grad=True)
    with pytest.warns(KernelWarning, match=said) as found:
        y = salu(x, 1.2, 0.7)
    assert len(found) == 1
    y.sum().backward()
    torch.testing.assert_close(y, salu(x, 1.2, 0.7, kernel="plain"), rtol=0, atol=0)
    fles(x, 1.0, 1.0)  # no second warning, which would raise
    with pytest.raises(ConfigurationError, match=said):
        salu(x, 1.2, 0.7, kernel="fused")
    one = torch.ones(())
    with pytest.raises(NativeError, match=said):
        cpu.forward("salu", [one, one, one])


def test_compiled_models_run_as_well(tmp_path, monkeypatch) -> None:
    said = no_headers(tmp_path, monkeypatch)
    model = nn.Sequential(SALU(), SWALU())
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = torch.randn(LARGE)
    with pytest.warns(KernelWarning, match=said) as found:
        y = compiled(x)
    assert len(found) == 1
    torch.testing.assert_close(y, model(x), rtol=0, atol=0)


class Activated(Dataset):
    """Augmentation that computes with an activation, in the workers."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, item: int) -> Tensor:
        if item:
            return salu(torch.ones(LARGE), 1.0, 1.0)
        with pytest.warns(KernelWarning, match="could not build"):
            return salu(torch.ones(LARGE), 1.0, 1.0)


def test_workers_of_a_loader_run_as_well(tmp_path, monkeypatch) -> None:
    no_headers(tmp_path, monkeypatch)
    batch = next(iter(DataLoader(Activated(), batch_size=2, num_workers=1)))
    torch.testing.assert_close(batch, salu(torch.ones(2, LARGE), 1.0, 1.0, kernel="plain"))


FULL = """
import resource, sys, warnings
import torch
from zoo.activations import salu

resource.setrlimit(resource.RLIMIT_FSIZE, (2**13, 2**13))
warnings.simplefilter("always")
for _ in range(2):
    print(salu(torch.ones(2**17), 1.0, 1.0)[0].item() == salu(torch.ones(1), 1.0, 1.0).item())
"""


@pytest.mark.slow
def test_a_full_disk_is_the_cause_and_no_compiler(tmp_path, monkeypatch) -> None:
    """What a compiler says to a disk that takes no more of its file is about the compiler."""
    compiler(tmp_path, monkeypatch, "echo internal compiler error >&2; exit 1")
    done = subprocess.run([sys.executable, "-c", FULL], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert done.stderr.count("KernelWarning") == 1
    assert "cannot be written: File too large. Set SALU_ZOO_CACHE to a folder with room" in done.stderr


def test_what_another_compiler_made_is_used_where_this_one_fails(tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as usual:
        usual.delenv("SALU_ZOO_CACHE")
        made = library(compiled.sources(str(compiled.vectors())))
    shutil.copytree(made.path.parent, tmp_path / "cache" / "native" / made.path.parent.name)
    no_headers(tmp_path, monkeypatch)
    assert cpu.available() is None
    one = torch.ones(())
    torch.testing.assert_close(cpu.forward("salu", [one, one, one]), salu(one, 1.0, 1.0))

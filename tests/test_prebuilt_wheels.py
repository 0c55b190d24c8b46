"""Wheels with compiled libraries, without a compiler: built here, unpacked, and used with an empty PATH."""

import json
import shlex
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from run_copy import run_copy

from export import load_predictor
from export.native import instruction_set, library
from zoo.native import PLATFORMS, this_platform

pytestmark = pytest.mark.slow

EXPORT = """
import numpy as np, torch
from torch import nn
from export import InputSpec, export, load_predictor
from zoo.activations import SALU, SWALU
torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), SALU(), SWALU(), nn.Conv2d(16, 16, 3, padding=1), SALU(),
    nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 4),
).eval()
x = torch.randn(64, 3, 16, 16)
with torch.no_grad():
    labels = net(x).argmax(1)
spec = InputSpec(3, 16, 16)
export(net, "edge_cpu.onnx", target="edge_cpu", input_spec=spec, threads=1)
measured = dict(calibration=x[:32], evaluation=(x, labels), budget=50.0)
export(net, "edge_int8.onnx", target="edge_int8", input_spec=spec, threads=1, **measured)
np.save("x.npy", x.numpy())
for name in ("edge_cpu", "edge_int8"):
    np.save(f"{name}.npy", load_predictor(f"{name}.onnx", threads=1)(x).numpy())
"""
TRAIN = """
import json, torch
from zoo.activations import SALU, kernel
from zoo.kernels.cpu import available
from zoo.kernels.cpu.compiled import kernels
found = {"reason": available(), "kernels": kernels()._name}
gradients = []
for form in ("plain", "fused"):
    torch.manual_seed(0)
    layer, x = SALU(), torch.randn(1 << 17, requires_grad=True)
    with kernel(form):
        layer(x).square().mean().backward()
    gradients.append([x.grad, *(p.grad for p in layer.parameters())])
found["differences"] = [float((a - b).abs().max() / a.abs().max()) for a, b in zip(*gradients)]
print(json.dumps(found))
"""
STATE = """
import json
from export.native import instruction_set, library
print(json.dumps({"path": str(library().path), "isa": instruction_set(library())}))
"""


def build(repository: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, "scripts/prebuilt_wheels.py", "--output", str(output), *arguments]
    return subprocess.run(script, cwd=repository, capture_output=True, text=True)


@pytest.fixture(scope="module", params=["own", "zig"])
def wheels(request, repository, tmp_path_factory, compiler) -> Path:
    """The wheels for this machine, compiled by its own compiler and by that of the wheels we publish."""
    here = this_platform()
    if here is None:
        pytest.skip(f"no wheel is for this machine; there are {', '.join(PLATFORMS)}")
    if request.param == "zig" and find_spec("ziglang") is None:
        pytest.skip("zig is not installed: pip install ziglang")
    output = tmp_path_factory.mktemp("wheels")
    by = ["--cxx", shlex.join(compiler.command)] if request.param == "own" else []
    done = build(repository, output, *by, here.name)
    if "Compile on an older system" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def bare(wheels, tmp_path_factory):
    """Run Python in what pip unpacks, where no program is on the path and nothing is cached; its folder."""
    folder = tmp_path_factory.mktemp("bare")
    (wheel,) = wheels.glob(f"*{this_platform().wheel}.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    (folder / "here").mkdir()
    nothing = {"HOME": str(folder), "PATH": str(folder), "CXX": "", "SALU_ZOO_CACHE": str(folder / "cache")}
    run = lambda *commands: run_copy(folder / "site", folder / "here", commands, **nothing)  # noqa: E731
    return run, folder


def test_both_edge_targets_run(bare, compiled_cache, monkeypatch):
    """And answer as with the library that is compiled here."""
    run, folder = bare
    _, state = run(EXPORT, STATE)
    here = this_platform()
    found = json.loads(state)
    assert found["path"] == str(folder / f"site/zoo/native/libraries/{here.name}/libsalu_zoo.so")
    assert not (folder / "cache" / "native").exists()
    monkeypatch.setenv("SALU_ZOO_CACHE", str(compiled_cache))
    assert found["isa"] == instruction_set(library())
    monkeypatch.chdir(folder / "here")
    for name in ("edge_cpu", "edge_int8"):
        given = np.load(f"{name}.npy")
        ours = load_predictor(f"{name}.onnx", threads=1)(torch.from_numpy(np.load("x.npy"))).numpy()
        assert np.abs(given).max() > 0.01
        np.testing.assert_array_equal(given, ours)


def test_fused_kernels_train(bare):
    run, folder = bare
    found = json.loads(run(TRAIN)[0])
    assert found["reason"] is None
    assert found["kernels"].startswith(str(folder / "site/zoo/native/libraries"))
    assert len(found["differences"]) == 3
    assert max(found["differences"]) < 1e-5
    assert not (folder / "cache" / "native").exists()


def test_the_pure_wheel_has_sources_alone(wheels):
    with zipfile.ZipFile(next(wheels.glob("*-none-any.whl"))) as archive:
        names = archive.namelist()
    assert "export/native/cpp/library.cpp" in names
    assert [name for name in names if name.endswith(".so") or "libraries" in name] == []


def test_a_wheel_that_would_not_keep_its_promise_is_not_built(repository, tmp_path):
    fake = tmp_path / "c++"
    program = 'test "$1" = --version && echo c++ 1 && exit 0; while test "$1" != -o; do shift; done; '
    fake.write_text(f'#!/bin/sh\n{program}printf "\\0GLIBC_2.99\\0" > "$2"\n', "utf-8")
    fake.chmod(0o755)
    done = build(repository, tmp_path / "dist", "linux-aarch64", "--cxx", str(fake))
    assert done.returncode == 1
    assert "needs glibc 2.99, and wheels for linux-aarch64 promise to run with glibc 2.28" in done.stderr
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["amiga"], "no platform of the name amiga; there are linux-x86-64"), (["--cxx", "g++"], "compiles for one")],
)
def test_what_cannot_be_built_is_said(repository, tmp_path, arguments, message):
    done = build(repository, tmp_path / "dist", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "dist").exists()

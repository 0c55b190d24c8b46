"""Compiled once per user; found, checked, shared, and refused with a plain message where it cannot be."""

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from export import native as native_module
from export.native import NativeCacheWarning, compile_operators, instruction_set, library
from export.native.compile_operators import operator_sources
from zoo.errors import NativeError
from zoo.native import Compiler, Sources, cache, cache_folder, find_compiler


@pytest.fixture(autouse=True)
def fresh():
    """`library()` remembers per process; each test starts without."""
    native_module._library.cache_clear()
    yield
    native_module._library.cache_clear()


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SALU_ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_compiler(tmp_path, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def quick(monkeypatch, native):
    """Compiling copies the library built before, so that tests of the cache take no seconds; counts its calls."""
    calls = []

    def copy(_: Sources, compiler: Compiler, output: Path) -> None:
        calls.append(output)
        shutil.copy(native.path, output)

    native_module._library.cache_clear()
    monkeypatch.setattr(cache, "compile_library", copy)
    return calls


def test_what_the_command_prints(built, native):
    assert str(native.path) in built
    assert native.sha256 in built
    assert instruction_set(native) in built


def test_the_second_call_does_not_compile(quick, own_cache):
    first = library()
    native_module._library.cache_clear()  # as another process
    assert library() == first
    assert len(quick) == 1
    assert first.path.is_relative_to(own_cache / "native")
    assert [path.name for path in (own_cache / "native").iterdir()] == [first.path.parent.name]
    assert sorted(path.name for path in first.path.parent.iterdir()) == ["library.json", "libsalu_zoo.so"]


def test_another_compiler_is_another_library(quick, own_cache, tmp_path, monkeypatch):
    first, real = library(), shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    other = tmp_path / "mine"
    other.symlink_to(real)
    monkeypatch.setenv("CXX", str(other))
    native_module._library.cache_clear()
    assert library().path != first.path
    assert len(quick) == 2


def test_changed_sources_are_another_library(quick, own_cache, monkeypatch):
    first = library()
    changed = replace(operator_sources(), units={"portable": ("-O1",)})
    monkeypatch.setattr(native_module, "operator_sources", lambda: changed)
    native_module._library.cache_clear()
    second = library()
    assert second.source_sha256 != first.source_sha256
    assert second.path != first.path


@pytest.mark.parametrize("damage", ["truncated", "other bytes", "no record", "record of something else", "no library"])
def test_a_damaged_file_is_detected_and_replaced(quick, own_cache, damage):
    first = library()
    record = first.path.with_name("library.json")
    match damage:
        case "truncated":
            first.path.write_bytes(first.path.read_bytes()[:1000])
        case "other bytes":
            first.path.write_bytes(first.path.read_bytes()[:-1] + b"?")
        case "no record":
            record.unlink()
        case "record of something else":
            record.write_text("[]", "utf-8")
        case _:
            first.path.unlink()
    native_module._library.cache_clear()
    with pytest.warns(NativeCacheWarning, match="is damaged"):
        second = library()
    assert second == first
    assert len(quick) == 2
    assert len(list((own_cache / "native").iterdir())) == 1


def test_builders_at_once(quick, own_cache):
    """Eight builders that all start with nothing end with one library between them."""
    sources = operator_sources()
    found_compiler = find_compiler(sources)
    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(lambda _: cache.build(sources, found_compiler), range(8)))
    assert set(built) == {built[0]}
    assert len(list((own_cache / "native").iterdir())) == 1


@pytest.mark.slow
def test_processes_that_build_at_once(compiler, tmp_path):
    environment = {**os.environ, "SALU_ZOO_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "export.native"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=600) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1


def test_no_compiler(own_cache, no_compiler):
    with pytest.raises(NativeError, match=r"no C\+\+ compiler was found .*Install one"):
        library()


def test_no_compiler_but_a_library_that_was_built_before(quick, own_cache, request):
    first = library()
    native_module._library.cache_clear()
    request.getfixturevalue("no_compiler")
    assert library() == first


def test_a_compiler_that_is_named_but_missing(own_cache, monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/c++")
    with pytest.raises(NativeError, match=r"looked for CXX=/nowhere/c\+\+"):
        library()


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_compiler_that_refuses(own_cache, tmp_path, monkeypatch):
    refusing = script(
        tmp_path / "cxx", 'test "$1" = --version && echo cxx 0.1 && exit 0; echo no such flag >&2; exit 1'
    )
    monkeypatch.setenv("CXX", str(refusing))
    with pytest.raises(NativeError, match=r"(?s)cxx 0\.1\) could not build .*no such flag.*newer one"):
        library()
    assert list((own_cache / "native").iterdir()) == []


def test_a_command_that_is_no_compiler(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", "exit 3")))
    with pytest.raises(NativeError, match="is no C\\+\\+ compiler"):
        library()


@pytest.mark.parametrize("variable", ["SALU_ZOO_CACHE", "XDG_CACHE_HOME"])
def test_a_cache_that_cannot_be_written(tmp_path, compiler, monkeypatch, variable):
    (tmp_path / "file").write_text("in the way", "utf-8")
    monkeypatch.delenv("SALU_ZOO_CACHE", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    with pytest.raises(NativeError, match=r"cannot be written: .*Set SALU_ZOO_CACHE"):
        library()


def test_where_libraries_are_kept(monkeypatch):
    monkeypatch.setenv("SALU_ZOO_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    assert cache_folder() == Path("/one/native")
    monkeypatch.delenv("SALU_ZOO_CACHE")
    assert cache_folder() == Path("/two/salu-zoo/native")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "salu-zoo" / "native"


def test_no_flag_gives_up_exact_arithmetic():
    flags = {
        flag
        for machine in ("x86_64", "aarch64", "riscv64")
        for unit in compile_operators.units(machine).values()
        for flag in unit
    }
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-march=native"} & (
        flags | {*operator_sources().link_flags()}
    )
    assert "-ffp-contract=off" in flags


def test_importing_loads_neither_torch_nor_onnxruntime():
    code = "import sys, export.native; print(sorted({'torch', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr

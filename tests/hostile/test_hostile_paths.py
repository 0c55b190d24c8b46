"""Paths that cannot be used: too long, locked, on a full disk. Every command says which, and leaves nothing behind."""

import ctypes
import errno
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from hostile.made_folder import make_folder
from zoo import cli
from zoo.errors import OutputError
from zoo.files import write_json

CARD = "salunet_c18_cifar.cifar10"
LONG = ("./" + "x" * 300, "/".join(["y" * 200] * 30))
LOCKED = ("locked/folder", "locked/file")
DATA = ["--dataset", "cifar10", "--device", "cpu", "--workers", "0"]
# PATH is what cannot be used.
COMMANDS: dict[str, list[str]] = {
    "evaluate a folder": ["evaluate", "PATH", *DATA],
    "evaluate a file": ["evaluate", "PATH.onnx", *DATA],
    "evaluate data": ["evaluate", CARD, *DATA, "--data", "PATH"],
    "evaluate into": ["evaluate", CARD, *DATA, "--output", "PATH/result.json"],
    "evaluate classes into": ["evaluate", CARD, *DATA, "--per-class", "PATH"],
    "evaluate with a class map": ["evaluate", CARD, *DATA, "--classes", "PATH"],
    "evaluate with labels": ["evaluate", "photo.png.onnx", *DATA, "--labels", "PATH"],
    "predict with": ["predict", "photo.png", "--model", "PATH"],
    "predict into": ["predict", "photo.png", "--model", CARD, "--csv", "PATH/answers.csv"],
    "predict pictures into": ["predict", "photo.png", "--model", CARD, "--annotate", "PATH"],
    "export": ["export", "PATH", "--output", "new.onnx"],
    "export into": ["export", CARD, "--output", "PATH/new.onnx"],
    "export a bundle into": ["export", CARD, "--output", "new.onnx", "--bundle", "PATH"],
    "info": ["info", "PATH"],
    "info of a file": ["info", "PATH.onnx"],
    "finetune on": ["finetune", CARD, "--data", "PATH"],
    "finetune from": ["finetune", "PATH", "--data", "."],
    "finetune into": ["finetune", CARD, "--data", ".", "--output", "PATH"],
    "train by": ["train", "PATH.toml"],
    "train on": ["train", "c18_cifar10", "--data", "PATH"],
    "train into": ["train", "c18_cifar10", "--output", "PATH"],
    "convert": ["convert", "PATH", "--output", "new"],
    "convert into": ["convert", CARD, "--output", "PATH"],
    "compare": ["compare", "PATH", "PATH"],
    "analyze": ["analyze", "PATH", "--device", "cpu"],
    "card": ["card", "PATH"],
    "card with": ["card", CARD, "--evaluation", "PATH"],
    "adopt": ["adopt", "PATH"],
    "adopt a file": ["adopt", "PATH.pth", "--model", "salunet_c18_cifar", "--tag", "x"],
    "bench": ["bench", "files", "PATH.onnx"],
    "validate": ["validate", "PATH.onnx", CARD],
    "page": ["page", "PATH.onnx", "--output", "new"],
    "warm": ["warm", "PATH.onnx"],
    "push": ["push", "PATH", "--repo", "a/b"],
}


class _Capabilities:
    """The rights of root that ignore a folder's mode, taken from this thread and given back."""

    _HEADER = struct.pack("Ii", 0x20080522, 0)  # version 3, this thread
    _IGNORE_MODES = 0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

    def __init__(self) -> None:
        self._system = ctypes.CDLL(None, use_errno=True)
        self._before = ctypes.create_string_buffer(24)
        assert self._system.capget(self._HEADER, self._before) == 0

    def drop(self) -> None:
        effective, *others = struct.unpack("6I", self._before.raw)
        self._set(struct.pack("6I", effective & ~self._IGNORE_MODES, *others))

    def restore(self) -> None:
        self._set(self._before.raw)

    def _set(self, values: bytes) -> None:
        assert self._system.capset(self._HEADER, values) == 0, os.strerror(ctypes.get_errno())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Image.new("RGB", (32, 32)).save("photo.png")
    return tmp_path


@pytest.fixture
def locked(place: Path) -> Iterator[Path]:
    """A folder that nobody may look into, root neither."""
    folder = place / "locked"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("{}")
    rights = _Capabilities() if sys.platform == "linux" else None
    if rights is not None:
        rights.drop()
    folder.chmod(0)
    try:
        if os.access(folder, os.R_OK, effective_ids=True):
            pytest.skip("this user may look into a folder of mode 0")
        yield folder
    finally:
        folder.chmod(0o700)
        if rights is not None:
            rights.restore()


def refused(arguments: list[str], path: str, capsys: pytest.CaptureFixture[str]) -> str:
    before = {file for file in Path().iterdir() if file.name != "locked"}
    with pytest.raises(SystemExit) as stopped:
        cli.main([word.replace("PATH", path) for word in arguments])
    said = capsys.readouterr().err
    assert stopped.value.code in (1, 2), said
    assert "Nobody foresaw" not in said
    assert "Traceback" not in said
    assert path.removeprefix("./")[:100] in " ".join(said.split()), said
    assert {file for file in Path().iterdir() if file.name != "locked"} == before
    return said


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_name_that_is_too_long(arguments: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in LONG:
        refused(arguments, path, capsys)


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_locked_folder(arguments: list[str], locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in LOCKED:
        refused(arguments, path, capsys)


def test_what_is_said_of_a_path(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["info", "PATH"], "locked/folder", capsys)
    assert said.startswith("Error: Cannot use locked/folder: permission denied. Check what you may read and write")
    said = refused(["info", "PATH"], LONG[1], capsys)
    assert "... (6,029 characters): file name too long. Check the path." in said
    assert len(said) < 500


def test_predict_answers_the_others(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["predict", "photo.png", "locked/folder/a.png", LONG[0], "--model", CARD, "--device", "cpu"])
    told = capsys.readouterr()
    assert stopped.value.code == 1
    assert told.out.startswith("photo.png: ")
    assert "locked/folder/a.png" in told.err
    assert "xxx: File name too long" in told.err.replace("\n", "")


def test_the_program_for_folders(locked: Path) -> None:
    from export.edge.command import main

    make_folder(Path("bundle"))
    for arguments in (*([path, "photo.png"] for path in (*LONG, *LOCKED)), *(["bundle", path] for path in LOCKED)):
        assert main(arguments) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_stream_is_told(place: Path, repository: Path) -> None:
    command = [sys.executable, "-m", "zoo"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=repository, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


def test_a_full_disk_leaves_no_empty_result(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *content: object, **options: object) -> None:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match=r"result\.json: No space left on device\. Make room there"):
        write_json("result.json", {})
    assert [file.name for file in place.iterdir()] == ["photo.png"]

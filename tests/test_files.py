"""Files appear whole or not at all, alone or together, whatever fails."""

import errno
import hashlib
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zoo.errors import OutputError
from zoo.files import check_writable, sha256_of, write_atomic, write_json, write_tensors, write_together


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def text(content):
    return lambda file: file.write_text(content)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_file_appears_with_its_folder_and_the_users_mode(tmp_path, umask):
    written = write_atomic(tmp_path / "new" / "a.txt", text("a"))
    assert written == tmp_path / "new" / "a.txt"
    assert contents(tmp_path / "new") == {"a.txt": "a"}
    assert written.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), ValueError("a bug")])
def test_a_failure_leaves_what_stood_there(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def fail(file):
        file.write_text("half")
        raise error

    with pytest.raises(OutputError if isinstance(error, OSError) else ValueError):
        write_atomic(tmp_path / "a.txt", fail)
    assert contents(tmp_path) == {"a.txt": "old"}


def test_together_all_are_written(tmp_path):
    (tmp_path / "b").write_text("old")
    write_together({tmp_path / "a": text("1"), tmp_path / "b": text("2"), tmp_path / "c": text("3")})
    assert contents(tmp_path) == {"a": "1", "b": "2", "c": "3"}


STOOD = [{}, {"a": "old a"}, {"b": "old b"}, {"a": "old a", "b": "old b", "c": "old c"}]


@pytest.mark.parametrize(
    ("failing", "old"),
    [(step, old) for step in ("fill", "replace", "copy") for old in STOOD if step != "copy" or "b" in old],
)
def test_together_a_failure_puts_everything_back(tmp_path, monkeypatch, failing, old):
    """The second of three files fails: while it is filled, renamed, or while what stood there is set aside."""
    for name, content in old.items():
        (tmp_path / name).write_text(content)
    if failing == "replace":
        replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda p, to: full_disk() if to.name == "b" else replace(p, to))
    if failing == "copy":
        copy = shutil.copy2
        monkeypatch.setattr(shutil, "copy2", lambda a, b: full_disk() if Path(a).name == "b" else copy(a, b))
    second = full_disk if failing == "fill" else text("2")
    with pytest.raises(OutputError, match=r"Cannot write .*b: No space left on device"):
        write_together({tmp_path / "a": text("1"), tmp_path / "b": second, tmp_path / "c": text("3")})
    assert contents(tmp_path) == old


def test_what_is_about_older_files_goes_with_them(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("old")
    write_together({tmp_path / "a": text("new")}, remove=[tmp_path / "b", tmp_path / "never there"])
    assert contents(tmp_path) == {"a": "new"}


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_what_was_removed_comes_back_if_the_new_files_do_not(tmp_path, monkeypatch, error):
    for name in "abc":
        (tmp_path / name).write_text("old")
    replace = Path.replace

    def stop(path, target):
        if target.name == "b":
            raise error
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_together({tmp_path / "a": text("1"), tmp_path / "b": text("2")}, remove=[tmp_path / "c"])
    assert contents(tmp_path) == dict.fromkeys("abc", "old")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no lock on folders")
def test_writers_at_once_do_not_mix_their_files(tmp_path, monkeypatch):
    replace = Path.replace

    def slow(path, target):
        time.sleep(0.002 * random.random())
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", slow)
    for _ in range(10):
        writers = [
            threading.Thread(target=write_together, args=({tmp_path / name: text(str(i)) for name in "abc"},))
            for i in range(4)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        found = contents(tmp_path)
        assert sorted(found) == ["a", "b", "c"]
        assert len(set(found.values())) == 1


def test_a_folder_is_no_place_for_a_file(tmp_path):
    (tmp_path / "file").touch()
    for place, reason in ((tmp_path, "it is a folder"), (tmp_path / "file" / "a", "Cannot write")):
        for attempt in (check_writable, lambda path: write_atomic(path, text("a"))):
            with pytest.raises(OutputError, match=reason):
                attempt(place)


def test_a_link_is_followed_and_a_mode_is_kept(tmp_path, umask):
    real = tmp_path / "real.json"
    real.write_text("old")
    real.chmod(0o600)
    (tmp_path / "link.json").symlink_to("real.json")
    (tmp_path / "ahead.json").symlink_to("later.json")
    check_writable(tmp_path / "link.json")
    write_json(tmp_path / "link.json", 1)
    write_json(tmp_path / "ahead.json", 2)
    assert (tmp_path / "link.json").is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ("1\n", 0o600)
    assert (tmp_path / "later.json").read_text() == "2\n"
    (tmp_path / "round.json").symlink_to("round.json")
    with pytest.raises(OutputError, match=r"round\.json"):
        write_json(tmp_path / "round.json", 3)


def test_a_device_and_a_pipe_are_written_to_and_stay(tmp_path):
    null, pipe = Path("/dev/null"), tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (null, pipe):
        check_writable(place)
    write_json(null, 1)
    assert null.is_char_device()
    with ThreadPoolExecutor() as pool:
        found = pool.submit(pipe.read_text)
        write_json(pipe, [1, 2])
        assert json.loads(found.result(timeout=60)) == [1, 2]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_stdout_takes_a_result_in_a_pipe_and_in_a_file(tmp_path):
    program = "from zoo.files import write_json; print('before', flush=True); write_json('/dev/stdout', [1, 2])"
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    with (tmp_path / "out.txt").open("w") as stream:
        subprocess.run([sys.executable, "-c", program], stdout=stream, check=True)
    assert piped == (tmp_path / "out.txt").read_text() == "before\n[\n  1,\n  2\n]\n"


def test_checking_makes_nothing(tmp_path):
    check_writable(tmp_path / "new" / "folder" / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_back(tmp_path):
    value = {"name": "Größe", "sizes": [1, 2.5, None]}
    assert json.loads(write_json(tmp_path / "a.json", value).read_text("utf-8")) == value
    assert "Größe" in (tmp_path / "a.json").read_text("utf-8")


def test_tensors_are_read_back(tmp_path):
    tensors = {"a": torch.arange(3), "b": torch.randn(2, 2)}
    file = write_tensors(tmp_path / "a.safetensors", tensors, {"format": "pt"})
    assert all(torch.equal(value, tensors[name]) for name, value in load_file(file).items())
    assert sha256_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_tensors_on_a_full_disk(tmp_path, monkeypatch):
    """Half of the bytes arrive; the old weights stay, and no part of the new ones does."""
    file = write_tensors(tmp_path / "a.safetensors", {"a": torch.zeros(3)}, {})
    before, write = file.read_bytes(), Path.write_bytes

    def fill_up(path, content):
        write(path, content[: len(content) // 2])
        full_disk()

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(OutputError, match=r"Cannot write .*a.safetensors: No space left on device"):
        write_tensors(file, {"a": torch.ones(3)}, {})
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]

"""Runs that are killed: what they leave is never taken for whole, and the next run of the same output removes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.files import write_atomic, write_together
from zoo.scratch import mark_of, scratch_file, scratch_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no locks that end with a process")
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
HEAD = "import os, signal, sys, time; from pathlib import Path; there = Path(sys.argv[1]) / 'm.onnx'; "


def file_of(place: Path) -> None:
    write_atomic(place / "m.onnx", lambda file: file.write_text("whole"))


def files_of(place: Path) -> None:
    write_together({place / "m.onnx": lambda file: file.write_text("whole"), place / "m.json": Path.touch})


def folder_of(place: Path) -> None:
    from export.deliver.bundle.new_folder import whole_folder

    with whole_folder(place / "m.onnx") as work:
        (work / "file").write_text("whole")


def cache_of(place: Path) -> None:
    with scratch_folder(place, ".building-") as work:
        work.rename(place / "built")


IN_FILE = "from zoo.files import write_atomic as write; write(there, lambda file: (file.write_text('half'), {}))"
IN_FOLDER = (
    "from export.deliver.bundle.new_folder import whole_folder\n"
    "with whole_folder(there) as work: (work / 'file').write_text('half'); {}"
)
IN_CACHE = "from zoo.scratch import scratch_folder\nwith scratch_folder(there.parent, '.building-') as work: {}"
BETWEEN = (
    "from zoo.files import write_together\n"
    "def stop(path, target): {}\n"
    "Path.replace = stop\n"
    "write_together(dict.fromkeys([there, there.with_suffix('.json')], lambda file: file.write_text('half')))"
)
KILLED = {
    "file": (IN_FILE, file_of),
    "folder": (IN_FOLDER, folder_of),
    "cache": (IN_CACHE, cache_of),
    "between renames": (BETWEEN, files_of),
}


# The code that writes folders loads PyTorch, which takes its time.
KINDS = [pytest.param(kind, marks=pytest.mark.slow) if kind == "folder" else kind for kind in KILLED]


def hidden(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_run_removes_what_a_killed_one_left(tmp_path, kind):
    code, again = KILLED[kind]
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", HEAD + code.format(DIE), str(tmp_path)], check=False)
        assert done.returncode == -9
    assert len(hidden(tmp_path)) >= 2
    assert not (tmp_path / "m.onnx").exists()
    again(tmp_path)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_process_fills_stays(tmp_path, kind):
    code, again = KILLED[kind]
    waiting = code.format("(print('filling', flush=True), time.sleep(600))")
    command = [sys.executable, "-c", HEAD + waiting, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "filling\n"
            before = hidden(tmp_path)
            assert before
            if kind != "between renames":  # whose writers take turns
                again(tmp_path)
                assert hidden(tmp_path) == before
        finally:
            other.kill()
    write_atomic(tmp_path / "other.txt", Path.touch)
    assert hidden(tmp_path) == before  # they belong to another output
    if kind == "folder":
        (tmp_path / "m.onnx/file").unlink()
        (tmp_path / "m.onnx").rmdir()
    if kind == "cache":
        (tmp_path / "built").rmdir()
    again(tmp_path)
    assert hidden(tmp_path) == []


def test_files_of_others_stay(tmp_path):
    """Names that are only like those of temporaries, and links, whatever they lead to."""
    (tmp_path / "mine").write_text("mine")
    names = [".m.previous.onnx", ".m.part-.onnx", ".m.part-abcdefgh.json", ".m.part-abcdefghi.onnx", ".m.onnx.kept"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / ".m.part-abcdefgh.onnx").symlink_to("mine")
    os.mkfifo(tmp_path / ".m.part-pipepipe.onnx")
    file_of(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    assert hidden(tmp_path) == sorted([*names, ".m.part-abcdefgh.onnx"])


def test_a_temporary_is_one_of_its_kind_and_gone(tmp_path):
    with scratch_file(tmp_path / "m.onnx") as first, scratch_file(tmp_path / "m.onnx") as second:
        assert first != second
        assert {first.parent, second.parent} == {tmp_path}
        assert first.name.startswith(mark_of(tmp_path / "m.onnx"))
        assert first.suffix == ".onnx"
    assert hidden(tmp_path) == []

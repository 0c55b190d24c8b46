"""What a folder holds, and that it appears whole or not at all."""

import errno
import hashlib
import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from delivered import retargeted, run_program
from tiny_model import LABELS

from export import OnnxFileError, ParityReport, load_predictor
from export.bench.latency import passed_report
from export.deliver.bundle import write_bundle
from export.deliver.bundle.new_folder import listing
from export.errors import ModelMismatchError
from export.parity.parity_report import report_path
from zoo.errors import OutputError
from zoo.files import write_together


def test_what_is_in_it(bundled, exported, preprocess):
    record = json.loads((bundled / "bundle.json").read_text("utf-8"))
    assert (bundled / "model.onnx").read_bytes() == exported.path.read_bytes()
    assert ParityReport.load(bundled / "model.onnx.parity.json") == exported.parity
    assert (bundled / "labels.txt").read_text("utf-8").splitlines() == list(LABELS)
    assert json.loads((bundled / "preprocess.json").read_text("utf-8")) == preprocess.to_dict()
    assert (record["model"], record["target"], record["precision"]) == ("Tiny", "portable", "float32")
    assert record["engine"]["providers"] == [["CPUExecutionProvider", {}]]
    assert set(record["files"]) == {"labels.txt", "model.onnx", "model.onnx.parity.json", "preprocess.json"}
    for name, digest in record["files"].items():
        assert hashlib.sha256((bundled / name).read_bytes()).hexdigest() == digest
    page = (bundled / "README.md").read_text("utf-8")
    assert exported.file_sha256 in page
    assert exported.parity.summary() in page
    assert "Licence of the weights: not stated" in page


@pytest.mark.parametrize("kind", ["bundled", "own_bundled"])
def test_the_page_shows_calls_of_the_engine_alone_and_every_property(kind, request, monkeypatch):
    folder = request.getfixturevalue(kind)
    page = (folder / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    size = json.loads((folder / "preprocess.json").read_text("utf-8"))["input_size"]
    batch = np.random.default_rng(0).standard_normal((2, *size), dtype=np.float32)
    monkeypatch.chdir(folder)
    found = {"x": batch}
    exec(code, found)
    with torch.inference_mode():
        expected = load_predictor(folder / "model.onnx", threads=1)(torch.from_numpy(batch))
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-5, atol=1e-6)
    stored = found["session"].get_modelmeta().custom_metadata_map
    assert set(stored) <= set(re.findall(r"^\| `(salu_zoo\.\w+)` \|", page, flags=re.MULTILINE))


def test_a_folder_of_changed_weights_says_so(exported, tmp_path):
    file = retargeted(exported.path, tmp_path / "other", "portable", changed_since="tiny.test")
    write_bundle(file, tmp_path / "bundle")
    assert ", changed since tiny.test." in (tmp_path / "bundle" / "README.md").read_text("utf-8")


def test_text_folder_keeps_its_tokenizer(text_bundled, text_given):
    stored = text_given.text_preprocess
    assert (text_bundled / "tokenizer.json").read_bytes() == stored.tokenizer.encode("utf-8")
    record = json.loads((text_bundled / "preprocess.json").read_text("utf-8"))
    assert record["max_length"] == stored.max_length < record["limits"]["max_length"]


def test_copied_programs_stand_alone(bundled):
    for file in bundled.rglob("*.py"):
        text = file.read_text("utf-8")
        assert not re.search(r"^\s*(from|import) (export|zoo|torch)\b", text, re.MULTILINE), file
        compile(text, str(file), "exec")


@pytest.mark.parametrize("name", ["model.onnx", "labels.txt", "preprocess.json"])
def test_changed_or_missing_file(bundled, picture, tmp_path, name):
    copy = shutil.copytree(bundled, tmp_path / "copy")
    (copy / name).write_bytes((copy / name).read_bytes() + b" ")
    done = run_program(copy / "run.py", picture)
    assert done.returncode == 1
    assert f"{name} is not the file that was exported" in done.stderr
    (copy / name).unlink()
    assert "Copy the whole folder again" in run_program(copy / "run.py", picture).stderr


def test_newer_format(bundled, picture, tmp_path):
    copy = shutil.copytree(bundled, tmp_path / "copy")
    record = json.loads((copy / "bundle.json").read_text("utf-8")) | {"format": 2}
    (copy / "bundle.json").write_text(json.dumps(record), "utf-8")
    assert "is of format 2, this program reads 1" in run_program(copy / "run.py", picture).stderr


def test_again_and_after_use(bundled, exported, picture):
    """The same file again changes nothing, though Python has left its caches there."""
    assert run_program(bundled / "client.py", picture).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in bundled.rglob("*")}
    assert write_bundle(exported.path, bundled) == bundled
    assert {path: path.stat().st_mtime_ns for path in bundled.rglob("*")} == before


def test_other_content_stays(exported, tmp_path):
    target = tmp_path / "full"
    target.mkdir()
    (target / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match="one with other content stands there"):
        write_bundle(exported.path, target)
    assert listing(tmp_path) == {"full/mine.txt": hashlib.sha256(b"mine").hexdigest()}
    with pytest.raises(OutputError, match="it is a file"):
        write_bundle(exported.path, target / "mine.txt")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (write_bundle(exported.path, empty) / "run.py").is_file()


def test_full_disk(exported, tmp_path, monkeypatch):
    whole = Path.write_bytes

    def full(self, data):
        if self.name == "model.onnx":
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_bundle(exported.path, tmp_path / "there")
    assert not list(tmp_path.iterdir())


def test_read_only_place(exported, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match=r"Permission denied\. Choose a place you may write to"):
        write_bundle(exported.path, tmp_path / "there")
    assert not list(tmp_path.iterdir())


def test_writers_at_the_same_time(exported, tmp_path):
    """Of different files one wins, whole; of the same file all are content."""
    files = [exported.path, retargeted(exported.path, tmp_path / "other", "portable", tag="other")]
    target = tmp_path / "together" / "folder"

    def attempt(file):
        try:
            return write_bundle(file, target)
        except OutputError as error:
            return error

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(attempt, files * 3))
    alone = [listing(write_bundle(file, tmp_path / f"alone{i}")) for i, file in enumerate(files)]
    winner = alone.index(listing(target))
    assert [isinstance(result, OutputError) for result in found] == [winner == 1, winner == 0] * 3
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


@pytest.mark.slow
def test_processes_at_the_same_time(exported, tmp_path):
    code = f"from export import write_bundle; write_bundle({str(exported.path)!r}, {str(tmp_path / 'b')!r})"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    messages = [process.communicate(timeout=120)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], messages
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise")
def test_a_kill_between_a_new_report_and_its_file(copy_of, tmp_path):
    """The old file beside a report about other bytes is an error, and the next run tidies up."""
    file = copy_of()
    old = file.read_bytes()
    code = """
import os, signal, sys
from pathlib import Path
from zoo.files import write_together
replace, report, file = Path.replace, Path(sys.argv[1]), Path(sys.argv[2])
Path.replace = lambda path, to: os.kill(os.getpid(), signal.SIGKILL) if to == file else replace(path, to)
text = report.read_text("utf-8").replace(sys.argv[3], "0" * 64)
write_together({report: lambda path: path.write_text(text, "utf-8"), file: lambda path: path.write_bytes(b"new")})
"""
    given = [str(report_path(file)), str(file), hashlib.sha256(old).hexdigest()]
    assert subprocess.run([sys.executable, "-c", code, *given], check=False).returncode == -9
    assert file.read_bytes() == old
    with pytest.raises(OnnxFileError, match=r"does not prove .*it is about sha256 000000000000"):
        write_bundle(file, tmp_path / "b")
    with pytest.raises(ModelMismatchError, match="is about other bytes"):
        passed_report(file)
    assert len([path for path in file.parent.iterdir() if path.name.startswith(".")]) >= 2
    write_together(dict.fromkeys((report_path(file), file), Path.touch))
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, report_path(file).name]


def test_file_without_its_proof(copy_of, tmp_path):
    file = copy_of()
    report = report_path(file)
    stored = json.loads(report.read_text("utf-8"))
    report.write_text(json.dumps(stored | {"file_sha256": "0" * 64}), "utf-8")
    with pytest.raises(OnnxFileError, match=r"does not prove .*it is about sha256 000000000000.*zoo validate"):
        write_bundle(file, tmp_path / "b")
    report.unlink()
    with pytest.raises(OnnxFileError, match="no readable parity report"):
        write_bundle(file, tmp_path / "b")
    file.write_bytes(b"\x08")
    with pytest.raises(OnnxFileError, match="is no ONNX file"):
        write_bundle(file, tmp_path / "b")
    with pytest.raises(OnnxFileError, match="Cannot read"):
        write_bundle(tmp_path / "none.onnx", tmp_path / "b")
    assert not (tmp_path / "b").exists()

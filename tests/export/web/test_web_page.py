"""What `write_page` writes and refuses, without a browser and with a few bytes in place of the runtime."""

import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
import torch
from PIL import Image
from tiny_model import LABELS, tiny
from typer.testing import CliRunner

import export.deliver.web
import export.deliver.web.browser_page
from export.commands import register
from export.deliver.web import OrtWeb, write_page
from export.deliver.web.browser_page import ASSETS
from export.deliver.web.ort_web import FILES
from export.deliver.web.record import steady_picture
from export.digest import seal
from export.errors import WebPageError
from export.metadata import PREFIX
from export.parity.shipped import shipped_images
from zoo.errors import DataNotFoundError, OutputError

RUNTIME = OrtWeb({name: name.encode() for name in FILES})


@pytest.fixture
def written(exported, tmp_path):
    """A page, and what `write_page` says about it."""
    return write_page(exported.path, tmp_path / "page", ort_web=RUNTIME)


def read(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text("utf-8"))


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def with_record(file: Path, copy: Path, **changes: str) -> Path:
    """A copy of an exported file that says something else about itself."""
    model = onnx.load(file)
    for prop in model.metadata_props:
        prop.value = changes.get(prop.key.removeprefix(PREFIX), prop.value)
    seal(model)
    onnx.save(model, copy)
    return copy


def test_the_record_lists_every_file_with_its_digest(written):
    files = content(written.folder)
    record = read(written.folder)
    assert set(record["files"]) == set(files) - {"model.json"}
    for name, entry in record["files"].items():
        assert entry == {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
    assert (written.files, written.size_bytes) == (len(files), sum(map(len, files.values())))
    assert not [p for p in written.folder.parent.iterdir() if p != written.folder]


def test_the_record_describes_the_model(written, exported, preprocess):
    record = read(written.folder)
    assert record["labels"] == list(LABELS)
    assert {k: v for k, v in record["preprocess"].items() if k != "tall_first"} == preprocess.to_dict()
    assert record["weights"] == sum(p.numel() for p in tiny().parameters() if p.ndim)
    assert (record["published"], record["trained_on"], record["measured"]) == (False, "", "")
    with torch.inference_mode():
        logits = tiny().eval()(preprocess(shipped_images()[0])[None])[0]
    torch.testing.assert_close(torch.tensor(record["check"]["logits"]), logits, rtol=0, atol=1e-6)
    with Image.open(written.folder / record["check"]["file"]) as image:
        assert image.tobytes() == shipped_images()[0].tobytes()
    assert content(written.folder)["model.onnx"] == exported.path.read_bytes()


def test_published_weights_bring_their_card(exported, tmp_path, monkeypatch):
    from zoo.weights.locate import resolve

    tag = resolve("salunet_c18_cifar.cifar10")
    own = {"model": tag.model, "tag": tag.tag}
    known = with_record(exported.path, tmp_path / "known.onnx", **own, source_sha256=tag.sha256)
    record = read(write_page(known, tmp_path / "known", ort_web=RUNTIME).folder)
    assert (record["published"], record["trained_on"]) == (True, "cifar10")
    assert record["measured"] == "93.38 % Top-1 on 10,000 images of cifar10 (test)"
    other = with_record(exported.path, tmp_path / "other.onnx", **own, source_sha256="0" * 64)
    assert not read(write_page(other, tmp_path / "other", ort_web=RUNTIME).folder)["published"]


def test_the_check_takes_an_image_that_rounding_leaves_alone():
    def jumping(batch):
        """Jumps where the first pixel passes zero, as FleS does where an element of its statistics does."""
        first = batch[:, 0, 0, 0]
        return torch.stack([1 + batch.mean((1, 2, 3)), (first > 0) * 1e-3], 1)

    def shifted(batch):
        return jumping(batch - 0.5)

    edge, inside = torch.full((3, 4, 4), 0.5), torch.full((3, 4, 4), 0.25)
    assert steady_picture(shifted, [edge, inside, edge]) == 1
    assert steady_picture(shifted, [edge, edge]) == 0


def test_the_page_names_nothing_elsewhere(written):
    files = content(written.folder)
    assert set(ASSETS) <= set(files)
    for name in ASSETS:
        text = files[name].decode()
        assert not re.findall(r"(?:https?:)?//(?!localhost)[\w.-]+\.\w+/", text), name
        for used in re.findall(r'(?:src|href|from)[= ]"(?:\./)?([\w./-]+)"', text):
            assert used in files, f"{name} names {used}"
    page = files["index.html"].decode()
    assert "default-src 'self'" in page
    assert "<h1>Tiny</h1>" in page
    assert "{{" not in page
    assert "MIT License" in files["LICENSES.txt"].decode()


def test_a_name_cannot_become_markup(exported, tmp_path):
    file = with_record(exported.path, tmp_path / "named.onnx", model="<script>alert(1)</script>")
    page = write_page(file, tmp_path / "page", ort_web=RUNTIME).folder / "index.html"
    assert "<script>alert" not in page.read_text("utf-8")
    assert "<h1>&lt;script&gt;" in page.read_text("utf-8")


def test_an_earlier_page_is_replaced_whole(written, exported):
    before = set(content(written.folder))
    with_fewer = write_page(exported.path, written.folder, ort_web=RUNTIME, images=written.folder / "samples/0.png")
    after = set(content(with_fewer.folder))
    assert before - after >= {"samples/4.png", "samples/9.png"}
    assert "samples/1.png" in after
    assert not [p for p in written.folder.parent.iterdir() if p != written.folder]


def test_other_content_stays(written, exported):
    (written.folder / "notes.txt").write_text("mine", "utf-8")
    before = content(written.folder)
    with pytest.raises(OutputError, match=r"notes\.txt that no page put there"):
        write_page(exported.path, written.folder, ort_web=RUNTIME)
    assert content(written.folder) == before
    with pytest.raises(OutputError, match="it is a file"):
        write_page(exported.path, written.folder / "notes.txt", ort_web=RUNTIME)


def test_a_record_of_others_is_no_page(exported, tmp_path):
    (tmp_path / "model.json").write_text('{"page": 2, "files": {"a": 1}}', "utf-8")
    with pytest.raises(OutputError, match=r"model\.json"):
        write_page(exported.path, tmp_path, ort_web=RUNTIME)


def test_a_failure_leaves_the_earlier_page(written, exported, monkeypatch):
    before = content(written.folder)
    rename = Path.rename

    def refuse(self, target):
        if self.name == "new" and Path(target).name == "page":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="No space left"):
        write_page(exported.path, written.folder, ort_web=RUNTIME, images=written.folder / "check.png")
    assert content(written.folder) == before
    assert not [p for p in written.folder.parent.iterdir() if p != written.folder]


def test_images_of_ones_own(exported, tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("b_two.png", "a_one.jpg", "notes.txt"):
        if name.endswith("txt"):
            (tmp_path / "images" / name).write_text("no image", "utf-8")
        else:
            Image.new("RGB", (40, 30), "teal").save(tmp_path / "images" / name)
    folder = write_page(exported.path, tmp_path / "page", ort_web=RUNTIME, images=tmp_path / "images").folder
    assert read(folder)["samples"] == [
        {"file": "samples/1.jpg", "title": "a one"},
        {"file": "samples/2.png", "title": "b two"},
    ]
    assert (folder / "samples/1.jpg").read_bytes() == (tmp_path / "images/a_one.jpg").read_bytes()
    assert "whoever made this page" in (folder / "LICENSES.txt").read_text("utf-8")


@pytest.mark.parametrize("name", ["notes.txt", "broken.png", "nowhere.png", "empty"])
def test_images_that_are_none(exported, tmp_path, name):
    (tmp_path / "notes.txt").write_text("no image", "utf-8")
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFoundError, match=name):
        write_page(exported.path, tmp_path / "page", ort_web=RUNTIME, images=tmp_path / name)
    assert not (tmp_path / "page").exists()


def test_files_no_browser_runs(exported, text_exported, preprocess, tmp_path):
    two = preprocess.to_dict() | {"input_size": [2, 8, 8], "mean": [0, 0], "std": [1, 1]}
    for file, words in (
        (with_record(exported.path, tmp_path / "int8.onnx", target="edge_int8"), "target edge_int8"),
        (with_record(exported.path, tmp_path / "two.onnx", preprocess=json.dumps(two)), "2 channels"),
        (text_exported.path, "takes texts"),
    ):
        with pytest.raises(WebPageError, match=words):
            write_page(file, tmp_path / "page", ort_web=RUNTIME)
    assert not (tmp_path / "page").exists()


class TestCommands:
    @pytest.fixture
    def run(self, monkeypatch):
        """Run a command; the runtime is at hand."""
        import typer

        monkeypatch.setattr(export.deliver.web.browser_page, "find_ort_web", lambda path=None: RUNTIME)
        app = typer.Typer()
        register(app)
        return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])

    def test_page(self, run, exported, tmp_path):
        done = run("page", exported.path, "--output", tmp_path / "page", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["folder"] == str(tmp_path / "page")
        assert (tmp_path / "page/index.html").is_file()
        assert "python -m http.server" in run("page", exported.path, "-o", tmp_path / "page").stdout

    def test_export_with_a_page(self, run, tmp_path, monkeypatch, preprocess):
        def create_model(*_, **__):
            model = tiny()
            model.pretrained_cfg = {"architecture": "tiny"} | preprocess.to_dict()
            return model

        monkeypatch.setattr("zoo.names.open_model", lambda *a, **k: SimpleNamespace(model=create_model(*a, **k)))
        file, page = tmp_path / "tiny.onnx", tmp_path / "page"
        done = run("export", "tiny", "--target", "web", "-o", file, "--page", page, "--threads", 1, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["page"]["folder"] == str(page)
        assert (page / "model.onnx").read_bytes() == file.read_bytes()

    def test_what_cannot_be_shows_before_the_export(self, run, tmp_path):
        (tmp_path / "mine.txt").write_text("mine", "utf-8")
        for target, error in (("edge_cpu", WebPageError), ("web", OutputError)):
            done = run("export", "tiny", "--target", target, "-o", tmp_path / "tiny.onnx", "--page", tmp_path)
            assert isinstance(done.exception, error)
        assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]

"""Images as they come: damaged, huge, narrow, no files at all; and what tables of images may name."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from zoo.data.image_dataset import DATASETS
from zoo.data.loading import ModelInputs, load_batches
from zoo.data.photo import decode_photo, open_photo
from zoo.data.preprocess import Preprocess
from zoo.data.subset import without_unreadable
from zoo.data.training_splits import open_training_splits
from zoo.data.vision import load_vision
from zoo.errors import DataNotFoundError, ZooError
from zoo.evaluation.predict import predict

from .conftest import reply


def stored(kind: str = "PNG", size: tuple[int, int] = (8, 8), **more: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(stream, kind, **more)
    return stream.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def exif(content: bytes) -> bytes:
    return stored("JPEG", exif=b"Exif\x00\x00" + content)


TEXT_BOMB = b"Comment\x00\x00" + zlib.compress(bytes(10 * PngImagePlugin.MAX_TEXT_CHUNK))
BROKEN = {
    "empty": b"",
    "no image": b"GIF87",
    "half a PNG": stored()[: len(stored()) // 2],
    "half a JPEG": stored("JPEG", (64, 64))[:300],
    "half a GIF": stored("GIF")[:20],
    "half a WebP": stored("WEBP")[:-10],
    "half a TIFF": stored("TIFF")[:60],
    "chunk of no kind": png(8, 8, struct.pack(">I", 4) + b"\x00\x01\x02\x03" + bytes(8)),
    "bad checksum": stored()[:20] + b"\xff" + stored()[21:],
    "900 megapixels": png(30_000, 30_000),
    "text bomb": png(8, 8, chunk(b"zTXt", TEXT_BOMB)),
    "no pixels": png(0, 0),
    "null": bytes(1000),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_image_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(content)
    with pytest.raises(DataNotFoundError, match=r"photo\.png"):
        open_photo(file)
    with pytest.raises(DataNotFoundError, match="The image"):
        decode_photo(content)


def test_bytes_are_decoded_in_the_formats_of_pictures_only() -> None:
    decoded = decode_photo(stored("JPEG", (16, 12)))
    assert (decoded.size, decoded.image.mode) == ((16, 12), "RGB")
    for kind in ("EPS", "PDF", "TGA"):  # the first two start or are programs
        with pytest.raises(DataNotFoundError, match="The image is no image that Pillow can read"):
            decode_photo(stored(kind))


def refusal(file: Path) -> str:
    """What is said of a file; "" where it is read."""
    try:
        open_photo(file)
    except ZooError as error:
        return str(error)
    return ""


def test_no_cut_or_changed_byte_is_more_than_an_error_that_names_the_file(tmp_path: Path) -> None:
    tried = refused = 0
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM"):
        whole = stored(kind, (16, 12))
        file = tmp_path / f"photo.{kind.lower()}"
        for place in range(0, len(whole), max(1, len(whole) // 40)):
            for content in (whole[:place], whole[:place] + b"\xff\xfe" + whole[place + 2 :]):
                file.write_bytes(content)
                tried += 1
                said = refusal(file)
                refused += bool(said)
                assert not said or file.name in said, (kind, place)
    assert tried > 500
    assert 100 < refused < tried


@pytest.mark.parametrize("content", [b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(30), b"MM\x00*" + b"\xff" * 40, b"x"])
def test_broken_exif_data_is_no_traceback(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(exif(content))
    said = refusal(file)
    assert not said or "photo.jpg" in said


@pytest.mark.parametrize(
    "name", ["missing.png", "null\x00byte.png", "x" * 5000 + ".png", "pipe.png", "folder.png", "loop.png"]
)
def test_a_path_that_is_no_file_is_named(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(DataNotFoundError, match="png"):
        open_photo(tmp_path / name)


PREPROCESS = Preprocess((3, 224, 224), "bicubic", 0.9, "center", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Subject:
    """Enough of an evaluated model: two classes, by the mean of the image."""

    name, labels, tag, sha256, runtime = "model", ("dark", "light"), None, None, {}
    preprocess = PREPROCESS


def test_predict_answers_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    good = [tmp_path / f"good{n}.png" for n in range(20)]
    for file in good:
        file.write_bytes(stored())
    files = list(good)
    for number, content in enumerate([*BROKEN.values(), stored(size=(1, 60_000)), png(1, 500_000)]):
        files.insert(2 * number, tmp_path / f"bad{number}.png")
        (tmp_path / f"bad{number}.png").write_bytes(content)
    files.insert(3, tmp_path / "null\x00byte.png")
    monkeypatch.setattr("zoo.evaluation.batch_work.predict", lambda subject, inputs, *_: torch.zeros(len(inputs), 2))
    monkeypatch.setattr("zoo.evaluation.batch_work.check_finite", lambda *_: None)
    found = list(predict(Subject(), files, 1))  # type: ignore[arg-type]
    assert [prediction.file for prediction in found] == [str(file) for file in files]
    answered = {prediction.file for prediction in found if prediction.problem is None}
    assert {str(file) for file in good} <= answered
    for prediction in found:
        assert prediction.problem is None or Path(prediction.file).name.split("\x00")[0] in prediction.problem
    assert len(found) - len(answered) >= len(BROKEN) + 1


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Two classes of three images."""
    for name in ("cat", "dog"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "animals" / name / f"{number}.png").write_bytes(stored())
    return tmp_path / "animals"


def test_training_stops_with_the_path_or_skips(animals: Path) -> None:
    (animals / "dog" / "1.png").write_bytes(stored()[:40])
    train, held = open_training_splits("imagefolder", animals, fraction=0.3)
    with pytest.raises(DataNotFoundError, match=r"dog.1\.png"):
        [images[index] for images in (train, held) for index in range(len(images))]
    train, held = open_training_splits("imagefolder", animals, fraction=0.3, skip_unreadable=True)
    assert len(train) + len(held) == 5
    assert "1.png" in str(train.source)


def test_the_model_s_own_refusal_names_the_file_too(animals: Path) -> None:
    (animals / "cat" / "0.png").write_bytes(stored(size=(1, 60_000)))
    images = load_vision("imagefolder", data=animals)
    samples = ModelInputs(images, PREPROCESS)
    with pytest.raises(ZooError, match=r"cat.0\.png.*narrow"):
        list(load_batches(samples, [[0]], 0))


@pytest.mark.parametrize(
    "kind", ["hidden", "archive", "pipe", "link to itself", "link back", "dangling link", "other file"]
)
def test_what_is_no_image_is_left_out(kind: str, animals: Path) -> None:
    before = load_vision("imagefolder", data=animals).source["listing_sha256"]
    place = {"hidden": animals / ".ipynb_checkpoints", "archive": animals / "__MACOSX"}.get(kind)
    if place is not None:
        place.mkdir()
        (place / "x.png").write_bytes(stored())
    elif kind == "pipe":
        os.mkfifo(animals / "cat" / "x.png")
    elif kind == "other file":
        (animals / "cat" / "notes.txt").write_text("x")
    else:
        target = {"link to itself": "x.png", "link back": "..", "dangling link": "nowhere"}[kind]
        (animals / "cat" / "x.png").symlink_to(target)
    with pytest.warns(UserWarning, match="Left out of .*: 1 "):
        images = load_vision("imagefolder", data=animals)
    assert (images.labels, len(images), images.source["listing_sha256"]) == (("cat", "dog"), 6, before)


def test_every_kind_of_image_counts(animals: Path) -> None:
    (animals / "cat" / "x.JFIF").write_bytes(stored("JPEG"))
    (animals / "cat" / "y.gif").write_bytes(stored("GIF"))
    assert len(load_vision("imagefolder", data=animals)) == 8


@pytest.mark.parametrize("target", ["/proc", "/proc/self/fd", "/dev", "/sys", "/proc/self/task"])
def test_folders_of_the_system_are_refused(target: str, animals: Path) -> None:
    (animals / "cat" / "deep").symlink_to(target)
    with pytest.raises(DataNotFoundError, match="folder of the system"):
        load_vision("imagefolder", data=animals)


def test_a_class_that_leads_back_to_the_whole_is_no_class(animals: Path) -> None:
    (animals / "everything").symlink_to(animals)
    with pytest.raises(DataNotFoundError, match="everything holds no image"):
        load_vision("imagefolder", data=animals)


def test_a_class_whose_name_is_no_text_is_refused(animals: Path) -> None:
    (animals / os.fsdecode(b"\xff\xfe")).mkdir()
    with pytest.raises(DataNotFoundError, match="not valid UTF-8"):
        load_vision("imagefolder", data=animals)


def table(place: Path, images: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    place.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(images, kind), "label": pa.array([0] * len(images), pa.int64())}
    pq.write_table(pa.table(columns), place / "test.parquet")
    return place


SPEC = {"name": "imagefolder", "split": "test"}


def test_a_table_opens_its_own_bytes_and_files_inside_its_folder(tmp_path: Path, serve) -> None:
    server = serve(lambda handler: reply(handler, 200, {}, stored()))
    secret = tmp_path / "secret.png"
    secret.write_bytes(stored())
    place = tmp_path / "data"
    (place / "images").mkdir(parents=True)
    (place / "images" / "a.png").write_bytes(stored())
    (place / "out.png").symlink_to(secret)
    os.mkfifo(place / "pipe.png")
    hostile = [
        f"{server.url}/x.png", f"zip://x.png::{server.url}/x.zip", f"simplecache::{server.url}/x.png", "hf://datasets/a/b/x",
        str(secret), "../secret.png", "out.png", "pipe.png", "/dev/zero", "file:///etc/passwd", "null\x00", "", None,
    ]  # fmt: skip
    rows = [{"bytes": stored(), "path": "http://127.0.0.1/name"}, {"bytes": None, "path": "images/a.png"}]
    images = load_vision(data=table(place, rows + [{"bytes": None, "path": path} for path in hostile]), **SPEC)
    assert [images[n][0].size for n in range(2)] == [(8, 8), (8, 8)]
    for number, path in enumerate(hostile, 2):
        with pytest.raises(DataNotFoundError, match=f"[Ii]mage {number}"):
            images[number]
        assert server.heard == [], path
    assert len(without_unreadable(images)) == 2


def test_a_table_that_is_a_pipe_is_not_waited_for(animals: Path) -> None:
    os.mkfifo(animals / "test.parquet")
    assert "imagefolder" in DATASETS
    assert len(load_vision("imagefolder", data=animals)) == 6

"""Decoding without Pillow against Pillow, and words for what cannot be decoded."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from export.edge import pixels as module
from export.edge.errors import EdgeError
from export.edge.pixels import read_image
from zoo.data.preprocess import convert_image

NOISE = np.random.default_rng(4).integers(0, 256, (23, 37, 4), dtype=np.uint8)
SMOOTH = np.add.outer(np.arange(23) * 3, np.arange(37) * 2)[:, :, None] + np.arange(4, dtype=np.int64) * 9


@pytest.fixture
def without_pillow(monkeypatch):
    monkeypatch.setattr(module, "pillow", lambda: None)


def images():
    for name, values in (("noise", NOISE), ("smooth", SMOOTH.astype(np.uint8))):
        colour = Image.fromarray(values)
        for mode in ("1", "L", "LA", "RGB", "RGBA"):
            yield pytest.param(colour.convert(mode), {}, id=f"{name} {mode}")
        for count in (2, 3, 13, 200):
            yield pytest.param(colour.convert("RGB").quantize(count), {}, id=f"{name} of {count} colours")
        yield pytest.param(colour.convert("RGB").quantize(40), {"transparency": 3}, id=f"{name} transparent palette")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("image", "options"), list(images()))
@pytest.mark.usefixtures("without_pillow")
def test_png(image, options, channels, tmp_path):
    image.save(tmp_path / "x.png", **options)
    with Image.open(tmp_path / "x.png") as opened:
        expected = np.asarray(convert_image(opened, "RGB" if channels == 3 else "L")).reshape(23, 37, channels)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", channels), expected)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, *, depth=8, colour=2, interlaced=0, size=(37, 23), palette=None):
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(rows)
    parts = [chunk(b"IHDR", header), *([chunk(b"PLTE", palette)] if palette else [])]
    parts += [chunk(b"IDAT", packed[:50]), chunk(b"IDAT", packed[50:]), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, "mixed"])
@pytest.mark.usefixtures("without_pillow")
def test_every_filter_as_pillow_undoes_it(kind, tmp_path):
    """The stored differences are noise, so every filter meets every case of its rule."""
    data = np.random.default_rng(8).integers(0, 256, (23, 37 * 3), dtype=np.uint8)
    kinds = [number % 5 for number in range(23)] if kind == "mixed" else [kind] * 23
    (tmp_path / "x.png").write_bytes(
        png(b"".join(bytes([k]) + row.tobytes() for k, row in zip(kinds, data, strict=True)))
    )
    with Image.open(tmp_path / "x.png") as opened:
        expected = np.asarray(opened)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", 3), expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.usefixtures("without_pillow")
def test_ppm(mode, channels, tmp_path):
    image = Image.fromarray(NOISE).convert(mode)
    body = image.tobytes()
    (tmp_path / "x.ppm").write_bytes((b"P5" if mode == "L" else b"P6") + b" # by hand\n37\t23\n# largest\n255\n" + body)
    expected = np.asarray(image.convert("RGB" if channels == 3 else "L")).reshape(23, 37, channels)
    np.testing.assert_array_equal(read_image(tmp_path / "x.ppm", channels), expected)


GOOD = png(bytes(23 * (1 + 37 * 3)))
BAD = {
    "no image at all": (b"hello", "only PNG and binary PPM or PGM.*pip install pillow"),
    "empty": (b"", "only PNG and binary PPM"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(40), "pip install pillow"),
    "truncated": (GOOD[:-30], "truncated or damaged"),
    "flipped byte": (GOOD[:60] + bytes([GOOD[60] ^ 1]) + GOOD[61:], "truncated or damaged"),
    "16 bits": (png(bytes(23 * (1 + 37 * 6)), depth=16), "of 16 bits, colour type 2 needs Pillow: pip install pillow"),
    "interlaced": (png(bytes(9999), interlaced=1), "interlaced needs Pillow"),
    "too few rows": (png(bytes(500)), "the PNG is truncated"),
    "unknown filter": (png(b"\x05" + bytes(23 * (1 + 37 * 3) - 1)), "a filter 5 that there is not"),
    "palette too short": (
        png((b"\x00" + b"\x02" * 37) * 23, colour=3, palette=bytes(6)),
        "colours that its palette does not hold",
    ),
    "no pixels": (png(b"", size=(0, 23)), "claims 0 x 23 pixels"),
    "a bomb": (png(b"", size=(1 << 20, 1 << 20)), "claims 1048576 x 1048576 pixels"),
    "PPM of 16 bits": (b"P6 4 4 65535\n" + bytes(96), "largest value is 65535"),
    "PPM cut off": (b"P6 4 4 255\n" + bytes(47), "truncated"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
@pytest.mark.usefixtures("without_pillow")
def test_what_cannot_be_read(content, message, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(EdgeError, match=message) as caught:
        read_image(tmp_path / "x", 3)
    assert str(tmp_path / "x") in str(caught.value)


def test_pillow_reads_the_rest(tmp_path):
    image = Image.fromarray(NOISE[:, :, :3])
    image.save(tmp_path / "x.jpg", quality=90)
    with Image.open(tmp_path / "x.jpg") as opened:
        np.testing.assert_array_equal(read_image(tmp_path / "x.jpg", 3), np.asarray(opened))
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(tmp_path / "deep.png")
    with pytest.raises(EdgeError, match="8 bits a channel are needed"):
        read_image(tmp_path / "deep.png", 1)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(EdgeError, match="Pillow does not read it"):
        read_image(tmp_path / "broken.jpg", 3)


def test_no_file_and_no_channels(tmp_path):
    with pytest.raises(EdgeError, match=r"Cannot read .*nowhere\.png: No such file"):
        read_image(tmp_path / "nowhere.png", 3)
    with pytest.raises(EdgeError, match="takes 4 channels; an image file gives 1 or 3"):
        read_image(tmp_path / "nowhere.png", 4)

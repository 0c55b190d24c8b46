"""The input a folder makes of an image against the zoo's own, bit by bit, and words for what cannot be read."""

import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from export.edge.errors import EdgeError
from export.edge.images import prepare, read_image
from zoo.data.preprocess import CROP_MODES, INTERPOLATIONS, Preprocess, convert_image

NOISE = np.random.default_rng(4).integers(0, 256, (23, 37, 4), dtype=np.uint8)


@pytest.mark.parametrize("crop_mode", CROP_MODES)
def test_every_bit_is_preprocess(crop_mode):
    draw, numbers = random.Random(3), np.random.default_rng(3)
    for _ in range(40):
        channels = draw.choice([1, 3])
        preprocess = Preprocess(
            (channels, *draw.choice([(8, 8), (32, 32), (17, 17), (24, 16), (16, 31)])),
            draw.choice(INTERPOLATIONS),
            draw.choice([1.0, 0.95, 0.9, 0.875, 0.7]),
            crop_mode,
            tuple(map(float, numbers.uniform(0.2, 0.6, channels))),
            tuple(map(float, numbers.uniform(0.1, 0.4, channels))),
        )
        pixels = numbers.integers(0, 256, (draw.randint(4, 90), draw.randint(4, 90), channels), dtype=np.uint8)
        expected = preprocess(Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)).numpy()
        found = prepare(pixels, preprocess.to_dict())
        assert found.shape == (1, *expected.shape)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[0].view(np.int32), expected.view(np.int32), repr(preprocess))


def test_an_image_too_narrow():
    record = Preprocess((3, 8, 8), "bicubic", 1.0, "border", (0.5,) * 3, (0.2,) * 3).to_dict()
    with pytest.raises(EdgeError, match="of 1 x 90 pixels would shrink to nothing"):
        prepare(np.zeros((90, 1, 3), np.uint8), record)


def images():
    colour = Image.fromarray(NOISE)
    for mode in ("1", "L", "LA", "RGB", "RGBA"):
        yield pytest.param(colour.convert(mode), {}, id=mode)
    palette = colour.convert("RGB").quantize(40)
    yield pytest.param(palette, {}, id="palette")
    yield pytest.param(palette, {"transparency": 3}, id="transparent palette")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("image", "options"), list(images()))
def test_pixels_are_those_of_the_zoo(image, options, channels, tmp_path):
    image.save(tmp_path / "x.png", **options)
    with Image.open(tmp_path / "x.png") as opened:
        expected = np.asarray(convert_image(opened, "RGB" if channels == 3 else "L")).reshape(23, 37, channels)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", channels), expected)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, size=(37, 23)):
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


GOOD = png(NOISE.tobytes()[: 23 * (1 + 37 * 3)].replace(b"\x00", b"\x01"))
BAD = {
    "no image at all": (b"hello", "Pillow does not read it"),
    "empty": (b"", "Pillow does not read it"),
    "broken jpeg": (b"\xff\xd8\xff\xe0" + bytes(40), "Pillow does not read it"),
    "truncated": (GOOD[:-1000], "Pillow does not read it"),
    "a bomb": (png(b"", size=(1 << 20, 1 << 20)), "exceeds limit of 178956970 pixels.*Make a smaller copy"),
    "PPM cut off": (b"P6 4 4 255\n" + bytes(47), "Pillow does not read it"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_read(content, message, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(EdgeError, match=f"Cannot read .*{message}") as caught:
        read_image(tmp_path / "x", 3)
    assert str(tmp_path / "x") in str(caught.value)


def test_16_bits_no_file_and_no_channels(tmp_path):
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(tmp_path / "deep.png")
    ours = convert_image(Image.open(tmp_path / "deep.png"), "L")
    assert np.array_equal(read_image(tmp_path / "deep.png", 1)[..., 0], np.asarray(ours))
    Image.new("F", (8, 8)).save(tmp_path / "deep.tiff")
    with pytest.raises(EdgeError, match="8 or 16 bits a channel are needed"):
        read_image(tmp_path / "deep.tiff", 1)
    with pytest.raises(EdgeError, match=r"Cannot read .*nowhere\.png: No such file"):
        read_image(tmp_path / "nowhere.png", 3)
    with pytest.raises(EdgeError, match="takes 4 channels; an image file gives 1 or 3"):
        read_image(tmp_path / "nowhere.png", 4)

"""Image files as people have them: turned, grey, transparent, animated, damaged, huge."""

import numpy as np
import pytest
from PIL import Image

from zoo.data.photo import open_photo
from zoo.errors import DataNotFoundError, ShapeError


@pytest.fixture
def picture() -> Image.Image:
    """Left half red, right half blue, 40x20."""
    made = Image.new("RGB", (40, 20), "red")
    made.paste((0, 0, 255), (20, 0, 40, 20))
    return made


def test_the_orientation_of_a_camera_is_applied(picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn right to see it
    picture.save(tmp_path / "x.png", exif=exif)
    photo = open_photo(tmp_path / "x.png")
    assert (photo.size, photo.image.size) == ((40, 20), (20, 40))
    assert (photo.image.getpixel((10, 2)), photo.image.getpixel((10, 37))) == ((255, 0, 0), (0, 0, 255))
    assert photo.notes == ("Turned as its EXIF orientation says.",)


@pytest.mark.parametrize(
    ("mode", "name", "notes"),
    [
        ("RGB", "x.png", ()),
        ("P", "x.png", ()),
        ("L", "x.png", ("Greyscale: the same in all three channels.",)),
        ("1", "x.png", ("Greyscale: the same in all three channels.",)),
        ("CMYK", "x.jpg", ("Converted from CMYK without its colour profile.",)),
        ("RGBA", "x.png", ("Transparency is dropped.",)),
        ("LA", "x.png", ("Greyscale: the same in all three channels.", "Transparency is dropped.")),
    ],
)
def test_every_mode_becomes_rgb_and_says_so(picture, tmp_path, mode, name, notes):
    picture.convert(mode).save(tmp_path / name)
    photo = open_photo(tmp_path / name)
    assert (photo.image.mode, photo.image.size, photo.notes) == ("RGB", (40, 20), notes)


def test_the_first_frame_of_an_animation(picture, tmp_path):
    picture.save(tmp_path / "x.gif", save_all=True, append_images=[Image.new("RGB", (40, 20), "green")])
    photo = open_photo(tmp_path / "x.gif")
    assert photo.notes == ("The first of 2 frames is used.",)
    assert photo.image.getpixel((2, 2)) == (255, 0, 0)


def test_sixteen_bits_are_scaled_to_eight_and_thirty_two_refused(tmp_path):
    values = np.array([[0, 128, 129, 257], [40_000, 65_535, 65_407, 32_768]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    photo = open_photo(tmp_path / "x.png")
    assert np.asarray(photo.image)[..., 0].tolist() == np.rint(values / 257).astype(int).tolist()
    assert "16-bit" in photo.notes[0]
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.int32)).save(tmp_path / "y.tiff")
    with pytest.raises(ShapeError, match=r"y\.tiff: .*rescale it to 0\.\.255"):
        open_photo(tmp_path / "y.tiff")


def test_more_pixels_than_a_file_of_unknown_origin_may_have(picture, tmp_path, monkeypatch):
    picture.save(tmp_path / "x.png")
    for limit in (700, 300):  # Pillow warns above its limit and raises above twice of it
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataNotFoundError, match=rf"more than {limit} pixels"):
            open_photo(tmp_path / "x.png")


def test_what_is_no_whole_image(picture, tmp_path):
    picture.save(tmp_path / "x.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "x.jpg").read_bytes()[:500])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    said = {
        "cut.jpg": "Is it whole",
        "text.png": "no image that Pillow",
        "empty.png": "no image",
        "none.png": "no file",
    }
    for name, words in said.items():
        with pytest.raises(DataNotFoundError, match=words):
            open_photo(tmp_path / name)
    with pytest.raises(DataNotFoundError, match="no file"):
        open_photo(tmp_path)

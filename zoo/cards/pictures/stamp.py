"""A picture that says what it was drawn from: a hash of the data in the PNG's metadata, read without drawing."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAMP = "salu-zoo-data"


def stamp(data: Any) -> str:
    """SHA-256 of `data` as canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def draw_stamped(path: Path, data: Any, draw: Callable[[Path], object]) -> None:
    """Let `draw` write a PNG at `path`, then add the stamp of `data`; pixels stay as they are."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    draw(path)
    notes = PngInfo()
    notes.add_text(STAMP, stamp(data))
    with Image.open(path) as picture:
        picture.load()
        picture.save(path, format="PNG", pnginfo=notes, optimize=True, dpi=picture.info.get("dpi"))


def check_stamp(path: Path, data: Any) -> bool:
    """True if the picture at `path` was drawn from `data`; False where it is missing or is no picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return bool(picture.info.get(STAMP) == stamp(data))
    except (OSError, UnidentifiedImageError):
        return False

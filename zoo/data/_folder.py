"""Datasets stored as one folder of images per class."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from zoo.data.class_folders import class_folders
from zoo.data.image_dataset import DatasetSpec, ImageDataset
from zoo.data.labels import check_standard_order, wordnet_names
from zoo.errors import DataNotFoundError

# Folders of these names alone are splits, not classes.
SPLIT_NAMES = {"train", "val", "valid", "validation", "test"}


def from_image_folder(spec: DatasetSpec, split: str | None, folder: Path) -> ImageDataset:
    """One split of an ImageFolder; class numbers follow the sorted names of the class folders.

    Args:
        spec: which dataset the folder is said to hold.
        split: FOLDER/SPLIT is read; None reads the default split's folder if there is one, else FOLDER itself.
        folder: an existing folder without parquet files.

    Raises:
        DataNotFoundError: no such split, none named where there are only splits, no class folders, a class folder
            without images, or too few or many classes.
    """
    root, used = _split_folder(spec, split, folder)
    rows = class_folders(root, _open_upright if spec.hub_id is None else _open_image)
    if not rows.classes:
        inside = sorted(entry.name for entry in root.iterdir())
        listed = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "") if inside else "nothing"
        raise DataNotFoundError(
            f"Asked for {spec.name} in {root}: neither parquet files nor one folder of images per class. "
            f"Found: {listed}."
        )
    labels = wordnet_names(rows.classes) if spec.name == "imagenet-1k" else rows.classes
    if spec.num_classes not in (None, len(labels)):
        raise DataNotFoundError(
            f"{spec.name} has {spec.num_classes} classes, {root} has {len(labels)} class folders. For your own classes "
            "use the dataset name imagefolder."
        )
    check_standard_order(spec.name, labels)
    return ImageDataset(spec.name, used, rows, labels, len(labels), partial(_describe, folder, root, rows.samples))


def _open_image(path: str) -> Image.Image:
    """Decode a file as it is; `ImageDataset` converts it, in the same way as images from a table."""
    with Image.open(path) as image:
        image.load()
        return image


def _open_upright(path: str) -> Image.Image:
    """Decode one of the user's own photos, turned as its EXIF orientation says: as people and `zoo predict` see it."""
    return ImageOps.exif_transpose(_open_image(path))


def _split_folder(spec: DatasetSpec, split: str | None, folder: Path) -> tuple[Path, str | None]:
    """The folder of class folders, and the split it stands for (None: not divided)."""
    wanted = split or spec.default_split
    for name in spec.splits.get(wanted, (wanted,)) if wanted else ():
        if (folder / name).is_dir():
            return folder / name, wanted
    divided = [name for names in spec.splits.values() for name in names if (folder / name).is_dir()]
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if split is None and not divided and found and set(found) <= SPLIT_NAMES:
        raise DataNotFoundError(
            f"Asked for {spec.name} in {folder}, whose folders are splits: {', '.join(found)}. Choose one with --split."
        )
    if split is None and not divided:
        return folder, None
    raise DataNotFoundError(
        f"Asked for split {wanted!r} of {spec.name} in {folder}, which has no such folder. Folders there: "
        f"{', '.join(found[:8]) or 'none'}{', ...' if len(found) > 8 else ''}. Choose one of them with --split."
    )


def _describe(folder: Path, root: Path, samples: list[tuple[str, int]]) -> dict[str, Any]:
    """Folder, number of files and a hash over their names and sizes (not their contents: that would read them all)."""
    digest = hashlib.sha256()
    for name, _ in samples:
        file = Path(name)
        digest.update(f"{file.relative_to(root).as_posix()}\t{file.stat().st_size}\n".encode())
    return {
        "kind": "imagefolder",
        "folder": str(folder),
        "split_folder": root.relative_to(folder).as_posix(),
        "files": len(samples),
        "listing_sha256": digest.hexdigest(),
    }

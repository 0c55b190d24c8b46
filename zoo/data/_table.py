"""Image datasets stored as tables: columns and labels checked, rows decoded when they are asked for."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data._parquet import ParquetTable, require_columns, table_from_files, table_from_hub
from zoo.data.image_dataset import DatasetSpec, ImageDataset
from zoo.data.labels import check_standard_order
from zoo.errors import DataNotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image


class TableRows:
    """Image and class number by position, from a `datasets.Dataset`.

    An image is in the table, or a file inside its folder: no other path, and no address, is opened.
    """

    def __init__(self, table: Any, image_column: str, label_column: str, folder: Path | None = None) -> None:
        self.table, self.image_column, self.label_column, self.folder = table, image_column, label_column, folder

    def __len__(self) -> int:
        return len(self.table)

    @property
    def targets(self) -> list[int]:
        """Class numbers of all rows."""
        return list(self.table[self.label_column])

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        row = self.table[index]
        return self._decoded(row[self.image_column] or {}, index), row[self.label_column]

    def _decoded(self, stored: dict[str, Any], index: int) -> "Image":
        """Turned as its EXIF data say, as `datasets` does."""
        from PIL import Image, ImageOps

        content, path = stored.get("bytes"), stored.get("path")
        inside = None if content is not None or not path or self.folder is None else (self.folder / path).resolve()
        if content is None and not (inside and inside.is_relative_to(self.folder.resolve()) and inside.is_file()):  # type: ignore[union-attr]
            raise DataNotFoundError(
                f"Image {index} is not in the table, and {path!r} is no file inside {self.folder or 'it'}. Only such "
                "files are opened, and no addresses: store the images in the table."
            )
        source: Any = inside or io.BytesIO(stored["bytes"])
        with Image.open(source) as image:
            return ImageOps.exif_transpose(image)


def from_parquet(spec: DatasetSpec, split: str, folder: Path, files: Sequence[Path]) -> ImageDataset:
    """One split from parquet files named after it (`test-00000-of-00001.parquet`) or in a folder of its name.

    Raises:
        DataNotFoundError: no file of that split, or several folders with one; an unreadable file; a missing column.
    """
    return _dataset(spec, split, table_from_files(spec, split, folder, files))


def from_hub(spec: DatasetSpec, split: str) -> ImageDataset:
    """One split from the Hub or its cache; only the files of that split are fetched.

    Raises:
        DataNotFoundError: neither holds it, the Hub cannot be reached, or the dataset is gated.
    """
    return _dataset(spec, split, table_from_hub(spec, split))


def _dataset(spec: DatasetSpec, split: str, table: ParquetTable) -> ImageDataset:
    """Check columns and labels, then wrap the table."""
    import datasets

    image, label = spec.image_column, spec.label_column
    if spec.hub_id in (None, spec.name):  # one's own, or one of the Hub that is not known here
        image, label = _column(table, image, datasets.Image), _column(table, label, datasets.ClassLabel)
    require_columns(spec, table, (image, label))
    rows = table.rows.select_columns([image, label])
    rows = rows.cast_column(image, datasets.Image(decode=False))
    labels = tuple(getattr(rows.features[label], "names", None) or ())
    numbers = rows.data.column(label).unique().to_pylist()
    count = spec.num_classes or len(labels) or 1 + max(numbers, default=-1)
    if (labels and len(labels) != count) or any(n is None or not 0 <= n < count for n in numbers):
        raise DataNotFoundError(
            f"{spec.name} has {count} classes; {table.where}, split {split!r}, has {len(labels) or 'no'} class names "
            f"and labels from {min(numbers, key=_order)} to {max(numbers, key=_order)} (-1 or None: hidden). "
            "Choose a split with labels."
        )
    check_standard_order(spec.name, labels)
    return ImageDataset(spec.name, split, TableRows(rows, image, label, table.folder), labels, count, table.describe)


def _column(table: ParquetTable, usual: str, kind: type) -> str:
    """The usual column; where it is missing, the only one of that kind."""
    if usual in table.rows.column_names:
        return usual
    found = [name for name, feature in table.rows.features.items() if isinstance(feature, kind)]
    return found[0] if len(found) == 1 else usual


def _order(number: int | None) -> int:
    return -1 if number is None else number

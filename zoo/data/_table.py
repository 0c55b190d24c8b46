"""Image datasets stored as tables: columns and labels checked, rows decoded when they are asked for."""

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
    """Image and class number by position, from a `datasets.Dataset`."""

    def __init__(self, table: Any, image_column: str, label_column: str) -> None:
        self.table, self.image_column, self.label_column = table, image_column, label_column

    def __len__(self) -> int:
        return len(self.table)

    @property
    def targets(self) -> list[int]:
        """Class numbers of all rows."""
        return list(self.table[self.label_column])

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        row = self.table[index]
        return row[self.image_column], row[self.label_column]


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
    if not isinstance(rows.features[image], datasets.Image):
        rows = rows.cast_column(image, datasets.Image())
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
    return ImageDataset(spec.name, split, TableRows(rows, image, label), labels, count, table.describe)


def _column(table: ParquetTable, usual: str, kind: type) -> str:
    """The usual column; where it is missing, the only one of that kind."""
    if usual in table.rows.column_names:
        return usual
    found = [name for name, feature in table.rows.features.items() if isinstance(feature, kind)]
    return found[0] if len(found) == 1 else usual


def _order(number: int | None) -> int:
    return -1 if number is None else number

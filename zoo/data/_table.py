"""Datasets stored as tables (parquet, the Hub), read by the `datasets` library and memory-mapped from its cache."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo._files import sha256_of
from zoo.data.labels import check_standard_order
from zoo.data.vision import DatasetSpec, ImageDataset
from zoo.errors import DataNotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image

_HUB_ADVICE = (
    "Name a local copy with --data FOLDER, or check the connection, HF_HUB_OFFLINE and, if the dataset is gated, your "
    "access (hf auth login)."
)


class TableRows:
    """Image and class number by position, from a `datasets.Dataset`."""

    def __init__(self, table: Any, image_column: str, label_column: str) -> None:
        self.table, self.image_column, self.label_column = table, image_column, label_column

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> "tuple[Image, int]":
        row = self.table[index]
        return row[self.image_column], row[self.label_column]


def find_parquet(spec: DatasetSpec, folder: Path) -> list[Path]:
    """The parquet files of a local copy: anywhere in the configuration's folder if there is one, else two levels deep.

    Two levels only, so that a folder of a million images is not searched.
    """
    if spec.config and (folder / spec.config).is_dir():
        return sorted((folder / spec.config).rglob("*.parquet"))
    return sorted([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])


def from_parquet(spec: DatasetSpec, split: str, folder: Path, files: Sequence[Path]) -> ImageDataset:
    """One split from parquet files named after it (`test-00000-of-00001.parquet`) or in a folder of its name.

    Raises:
        DataNotFoundError: no file of that split, or several folders with one; an unreadable file; a missing column.
    """
    chosen = [file for file in files if _belongs(file, split, spec)]
    places = sorted({str(file.parent.relative_to(folder)) for file in chosen})
    if len(places) != 1:
        listed = ", ".join(str(file.relative_to(folder)) for file in files[:8]) + (", ..." if len(files) > 8 else "")
        problem = f"which lies in several folders ({', '.join(places)})" if places else "which is not there"
        raise DataNotFoundError(
            f"Asked for split {split!r} of {spec.name} in {folder}, {problem}. Parquet files found: {listed}. "
            "Choose another --split or a folder that holds one dataset."
        )
    table = _read(chosen, split)
    return _dataset(spec, split, table, partial(_describe_files, folder, chosen), f"the parquet files in {folder}")


def from_hub(spec: DatasetSpec, split: str) -> ImageDataset:
    """One split from the Hub or its cache; only the files of that split are fetched.

    Raises:
        DataNotFoundError: neither holds it, the Hub cannot be reached, or the dataset is gated.
    """
    folder = _fetch(spec, split)
    files = [file for file in find_parquet(spec, folder) if _belongs(file, split, spec)]
    if not files:
        raise DataNotFoundError(
            f"Split {split!r} of {spec.name} is neither in the Hub's cache nor in its repository {spec.hub_id} at "
            f"revision {folder.name}. {_HUB_ADVICE}"
        )
    source = {"kind": "hub", "repository": spec.hub_id, "config": spec.config, "revision": folder.name}
    return _dataset(spec, split, _read(files, split), partial(dict, source), f"the Hub dataset {spec.hub_id}")


def _fetch(spec: DatasetSpec, split: str) -> Path:
    """The folder of the Hub's cache with the split's files; its name is the commit they are of."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    # The base class of the HTTP library underneath, which is another one in other versions.
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    places = (f"{spec.config}/",) if spec.config else ("", "*/")
    ends = ("-*.parquet", ".parquet", "/*.parquet")
    wanted = [place + name + end for place in places for name in spec.splits.get(split, (split,)) for end in ends]
    try:
        return Path(snapshot_download(str(spec.hub_id), repo_type="dataset", allow_patterns=wanted))
    except (NetworkError, HFValidationError, OSError) as error:
        raise DataNotFoundError(
            f"Cannot fetch split {split!r} of {spec.name} from the Hub (dataset {spec.hub_id}): {_reason(error)}. "
            f"{_HUB_ADVICE}"
        ) from error


def _read(files: Sequence[Path], split: str) -> Any:
    """The rows of parquet files, with the features they carry, memory-mapped from the cache of `datasets`."""
    import datasets

    _check_shards(files)
    with _no_progress_bars():
        try:
            return datasets.load_dataset("parquet", data_files={split: [str(file) for file in files]}, split=split)
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise DataNotFoundError(
                f"Cannot read {', '.join(f.name for f in files)} in {files[0].parent}: {_reason(error)}. "
                "Fetch the files again; the cache (HF_HOME) must be writable."
            ) from error


def _check_shards(files: Sequence[Path]) -> None:
    """Refuse part of a split: files are numbered as in `test-00000-of-00003.parquet`."""
    found = {number.group(1, 2) for file in files if (number := re.search(r"-(\d+)-of-(\d+)\.parquet$", file.name))}
    for total in {total for _, total in found}:
        have = sum(of == total for _, of in found)
        if have != int(total):
            raise DataNotFoundError(
                f"{files[0].parent} has {have} of the {int(total)} files of this split ({files[0].name}, ...). "
                "Fetch the rest, or rename the files to work with a part."
            )


def _belongs(file: Path, split: str, spec: DatasetSpec) -> bool:
    names = spec.splits.get(split, (split,))
    return file.parent.name in names or any(re.match(rf"{re.escape(n)}(?![a-z0-9])", file.name) for n in names)


def _dataset(
    spec: DatasetSpec, split: str, table: Any, describe: Callable[[], dict[str, Any]], where: str
) -> ImageDataset:
    """Check columns and labels, then wrap the table."""
    import datasets

    image, label = spec.image_column, spec.label_column
    missing = [name for name in (image, label) if name not in table.column_names]
    if missing:
        raise DataNotFoundError(
            f"{spec.name} needs the columns {image!r} and {label!r}; {where} has {table.column_names}. "
            "Is it another dataset?"
        )
    table = table.select_columns([image, label])
    if not isinstance(table.features[image], datasets.Image):
        table = table.cast_column(image, datasets.Image())
    labels = tuple(getattr(table.features[label], "names", None) or ())
    numbers = table.data.column(label).unique().to_pylist()
    count = spec.num_classes or len(labels) or 1 + max(numbers, default=-1)
    if (labels and len(labels) != count) or any(n is None or not 0 <= n < count for n in numbers):
        raise DataNotFoundError(
            f"{spec.name} has {count} classes; {where}, split {split!r}, has {len(labels) or 'no'} class names and "
            f"labels from {min(numbers, key=_order)} to {max(numbers, key=_order)} (-1 or None: hidden). "
            "Choose a split with labels."
        )
    check_standard_order(spec.name, labels)
    return ImageDataset(spec.name, split, TableRows(table, image, label), labels, count, describe)


def _order(number: int | None) -> int:
    return -1 if number is None else number


def _describe_files(folder: Path, files: Sequence[Path]) -> dict[str, Any]:
    listed = [
        {"file": file.relative_to(folder).as_posix(), "size_bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for file in files
    ]
    return {"kind": "parquet", "folder": str(folder), "files": listed}


def _reason(error: BaseException) -> str:
    """The innermost message on one line: `datasets` wraps what went wrong in 'An error occurred'."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(f"{type(error).__name__}: {error}".split())[:400].rstrip(".")


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Silence the library's bars while a local file is copied into the cache: seconds, and not our look."""
    import datasets

    were_off = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not were_off:
            datasets.enable_progress_bars()

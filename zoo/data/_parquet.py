"""Tables stored as parquet files, locally or on the Hub: found, fetched, checked and read by the `datasets` library."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from zoo.errors import DataNotFoundError
from zoo.files import sha256_of

_HUB_ADVICE = (
    "Name a local copy with --data FOLDER, or check the connection, HF_HUB_OFFLINE and, if the dataset is gated, your "
    "access (hf auth login)."
)


class TableSpec(Protocol):
    """Location of a table: `hub_id` and `config` name the Hub's repository and the folder inside it or a copy of it.

    `splits` maps each split to the names its files or folders go by.
    """

    @property
    def name(self) -> str: ...
    @property
    def hub_id(self) -> str | None: ...
    @property
    def config(self) -> str | None: ...
    @property
    def splits(self) -> Mapping[str, tuple[str, ...]]: ...


@dataclass(frozen=True)
class ParquetTable:
    """One split as it was read.

    Args:
        rows: a `datasets.Dataset`, memory-mapped from that library's cache.
        where: what it was read from, for messages.
        describe: where it came from, for the record; hashing large files takes time, so it is called when asked for.
        folder: whose files the rows may name; None where everything is in the rows.
    """

    rows: Any
    where: str
    describe: Callable[[], dict[str, Any]]
    folder: Path | None = None


def existing_folder(spec: TableSpec, folder: Path) -> Path:
    """The folder, which a user named.

    Raises:
        DataNotFoundError: there is none.
    """
    folder = folder.expanduser()
    if folder.is_dir():
        return folder
    found = "is a file, not a folder" if folder.exists() else "does not exist"
    offer = f", or leave --data out to fetch {spec.hub_id} from the Hub" if spec.hub_id else ""
    raise DataNotFoundError(f"Asked for {spec.name} in {folder}, which {found}. Name the dataset's folder{offer}.")


def find_parquet(spec: TableSpec, folder: Path) -> list[Path]:
    """The parquet files of a local copy: anywhere in the configuration's folder if there is one, else two levels deep.

    Two levels only, so that a folder of a million images is not searched.
    """
    if spec.config and (folder / spec.config).is_dir():
        return _regular((folder / spec.config).rglob("*.parquet"))
    return _regular([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])


def _regular(files: Iterable[Path]) -> list[Path]:
    """The files among them, in order; a pipe or a device, which might be waited for, is none."""
    return sorted(file for file in files if file.is_file())


def table_from_files(spec: TableSpec, split: str, folder: Path, files: Sequence[Path]) -> ParquetTable:
    """One split from parquet files named after it (`test-00000-of-00001.parquet`) or in a folder of its name.

    Raises:
        DataNotFoundError: no file of that split, or several folders with one; an unreadable or missing file.
    """
    chosen = [file for file in files if belongs(file, split, spec)]
    places = sorted({str(file.parent.relative_to(folder)) for file in chosen})
    if len(places) != 1:
        listed = ", ".join(str(file.relative_to(folder)) for file in files[:8]) + (", ..." if len(files) > 8 else "")
        problem = f"which lies in several folders ({', '.join(places)})" if places else "which is not there"
        raise DataNotFoundError(
            f"Asked for split {split!r} of {spec.name} in {folder}, {problem}. Parquet files found: {listed}. "
            "Choose another --split or a folder that holds one dataset."
        )
    rows = _read(chosen, split)
    return ParquetTable(rows, f"the parquet files in {folder}", partial(_describe_files, folder, chosen), folder)


def table_from_hub(spec: TableSpec, split: str) -> ParquetTable:
    """One split from the Hub or its cache; only the files of that split are fetched.

    Raises:
        DataNotFoundError: neither holds it, the Hub cannot be reached, or the dataset is gated.
    """
    folder = _fetch(spec, split)
    files = [file for file in find_parquet(spec, folder) if belongs(file, split, spec)]
    if not files:
        raise DataNotFoundError(
            f"Split {split!r} of {spec.name} is neither in the Hub's cache nor in its repository {spec.hub_id} at "
            f"revision {folder.name}. {_HUB_ADVICE}"
        )
    source = {"kind": "hub", "repository": spec.hub_id, "config": spec.config, "revision": folder.name}
    return ParquetTable(_read(files, split), f"the Hub dataset {spec.hub_id}", partial(dict, source))


def require_columns(spec: TableSpec, table: ParquetTable, columns: Sequence[str]) -> None:
    """Refuse a table of other columns.

    Raises:
        DataNotFoundError: one of `columns` is missing.
    """
    if not set(columns) <= set(table.rows.column_names):
        names = ", ".join(map(repr, columns[:-1])) + f" and {columns[-1]!r}"
        raise DataNotFoundError(
            f"{spec.name} needs the columns {names}; {table.where} has {table.rows.column_names}. "
            "Is it another dataset?"
        )


def _fetch(spec: TableSpec, split: str) -> Path:
    """The folder of the Hub's cache with the split's files; its name is the commit they are of."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    # The base class of the HTTP library underneath, which is another one in other versions.
    from huggingface_hub.errors import HTTPError as NetworkError  # type: ignore[attr-defined]

    from zoo.hub.at_once import at_once

    places = (f"{spec.config}/",) if spec.config else ("", "*/")
    ends = ("-*.parquet", ".parquet", "/*.parquet")
    wanted = [place + name + end for place in places for name in spec.splits.get(split, (split,)) for end in ends]
    try:
        with at_once():
            return Path(snapshot_download(str(spec.hub_id), repo_type="dataset", allow_patterns=wanted))
    except (NetworkError, HFValidationError, OSError, ValueError) as error:
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
            # `load_dataset` reads as well, and tells a server of the library's makers so.
            return datasets.Dataset.from_parquet({split: [str(file) for file in files]}, split=split)
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


def belongs(file: Path, split: str, spec: TableSpec) -> bool:
    """Whether a parquet file is of a split, by its name or its folder's."""
    names = spec.splits.get(split, (split,))
    return file.parent.name in names or any(re.match(rf"{re.escape(n)}(?![a-z0-9])", file.name) for n in names)


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

"""One's own texts as a task: a file with labels, or a folder with one file to learn from and one to measure on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.data._parquet import ParquetTable
from zoo.data.glue import GlueSplit, GlueTask
from zoo.data.holdout import hold_back
from zoo.data.text_file import PAIR, SUFFIXES, TEXT, TextRows, read_text_file
from zoo.errors import DataNotFoundError
from zoo.files import sha256_of

OWN = "own"
"""The name of the task whose texts and classes are the user's."""
_EVALUATION = ("validation", "val", "valid", "test")


def open_own_texts(
    data: str | Path | None, fraction: float, seed: int, labels: Sequence[str] = ()
) -> tuple[GlueTask, GlueSplit, GlueSplit]:
    """The task of one's own texts, what to learn from, and what to measure on.

    Args:
        data: a .csv, .tsv or .jsonl file (see `zoo.data.text_file`), or a folder with a file called train and one
            called validation, val, valid or test.
        fraction: share of each class's texts that is held back where there is one file; at least one text.
        seed: decides which ones.
        labels: class names in order; empty takes those of the texts, sorted.

    Raises:
        DataNotFoundError: a file is missing or cannot be read, has no labels, or has labels that are not to be learned;
            fewer than two classes; a class of a single text that is to be divided.
    """
    if data is None:
        raise DataNotFoundError("Texts of your own are read from disk only: name a file or folder with --data.")
    place = Path(data).expanduser()
    if place.is_dir():
        files = [_file_of(place, names) for names in (("train",), _EVALUATION)]
        learned, measured = (_labelled(file) for file in files)
        task = _task(learned, labels)
        return task, _split(task, "train", learned, files[0]), _split(task, files[1].stem, measured, files[1])
    whole = _labelled(place)
    task = _task(whole, labels)
    rows, held = (_of(whole, part) for part in hold_back(whole.labels or (), fraction, seed, repr, "text"))
    return task, _split(task, "train", rows, place), _split(task, "held back", held, place)


def load_own_texts(data: str | Path | None, labels: Sequence[str]) -> GlueSplit:
    """All texts of a file, to be measured on.

    Args:
        data: the file.
        labels: the model's class names in order.

    Raises:
        DataNotFoundError: as `open_own_texts`; or a folder is given.
    """
    if data is None or not Path(data).is_file():
        raise DataNotFoundError(f"Texts of your own are measured on one file (--data FILE.csv); found {data}.")
    rows = _labelled(Path(data))
    return _split(_task(rows, labels), Path(data).stem, rows, Path(data))


def _file_of(folder: Path, names: Sequence[str]) -> Path:
    found = [
        folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES if (folder / f"{name}{suffix}").is_file()
    ]
    if not found:
        inside = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise DataNotFoundError(f"{folder} has no file {' or '.join(names)} (.csv, .tsv, .jsonl). Found: {inside}.")
    return found[0]


def _labelled(file: Path) -> TextRows:
    rows = read_text_file(file)
    if rows.labels is None:
        raise DataNotFoundError(f"{file} has no column 'label', which says what each text is.")
    return rows


def _task(rows: TextRows, labels: Sequence[str]) -> GlueTask:
    found = tuple(labels) or tuple(sorted(set(rows.labels or ())))
    if len(found) < 2:
        raise DataNotFoundError(f"The texts have {len(found)} class ({', '.join(found)}); it takes two or more.")
    columns = (TEXT, PAIR) if isinstance(rows.texts[0], tuple) else (TEXT,)
    return GlueTask(OWN, columns, found, ("accuracy",), description="texts and classes of one's own")


def _split(task: GlueTask, name: str, rows: TextRows, file: Path) -> GlueSplit:
    import datasets

    strange = sorted(set(rows.labels or ()) - set(task.labels))
    if strange:
        raise DataNotFoundError(
            f"{file} has the label {strange[0]!r} ({len(strange)} such), which is none of the classes "
            f"{', '.join(map(repr, task.labels[:8]))}."
        )
    pairs = isinstance(rows.texts[0], tuple)
    if pairs != (len(task.columns) == 2):
        raise DataNotFoundError(f"{file} has {'pairs' if pairs else 'single texts'}, the other file has not.")
    columns: dict[str, list[Any]] = {
        column: [text[n] if isinstance(text, tuple) else text for text in rows.texts]
        for n, column in enumerate(task.columns)
    }
    columns["label"] = [task.labels.index(label) for label in rows.labels or ()]
    table = datasets.Dataset.from_dict(columns)
    described = {"kind": "file", "file": file.name, "texts": len(rows.texts)}
    return GlueSplit(task, name, table, ParquetTable(table, str(file), lambda: described | {"sha256": sha256_of(file)}))


def _of(rows: TextRows, indices: Sequence[int]) -> TextRows:
    return TextRows(tuple(rows.texts[i] for i in indices), tuple((rows.labels or ())[i] for i in indices))

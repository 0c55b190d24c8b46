"""GLUE: nine tasks, their columns and labels, read from the Hub or a local folder of the Hub's layout.

Source: arXiv:1804.07461; columns, label numbers and split names as in the Hub's nyu-mll/glue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data._parquet import ParquetTable, existing_folder, require_columns, table_from_files, table_from_hub
from zoo.errors import DataNotFoundError, UnknownNameError
from zoo.registry import Registry

HUB_ID = "nyu-mll/glue"
METRICS = {
    "accuracy": "accuracy",
    "f1": "F1 of class 1",
    "matthews_correlation": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
}
"""Each metric of `GlueTask.metrics` and what it is called in tables."""


@dataclass(frozen=True)
class GlueTask:
    """One task of GLUE.

    Args:
        name: as on the Hub.
        columns: the text, or the pair of texts.
        labels: class names in order; empty for the regression task, whose scores run from 0 to 5.
        metrics: names of the official metrics, the first one leads.
        evaluation: the split to measure on; GLUE hides the labels of most test splits.
        description: one line for people.
    """

    name: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    evaluation: str = "validation"
    description: str = ""

    @property
    def num_outputs(self) -> int:
        """Logits a model of this task has: the classes, or 1."""
        return len(self.labels) or 1

    @property
    def hub_id(self) -> str:
        """The Hub repository of all tasks."""
        return HUB_ID

    @property
    def config(self) -> str:
        """The task's folder in it."""
        return self.name

    @property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The splits, each with the one name it goes by. MNLI is tested on matched and on mismatched genres."""
        parts = ("_matched", "_mismatched") if self.evaluation.endswith("_matched") else ("",)
        names = ("train", *(f"{split}{part}" for split in ("validation", "test") for part in parts))
        return {name: (name,) for name in names}


GLUE: Registry[GlueTask] = Registry("GLUE task")
_PAIR = ("sentence1", "sentence2")
_ENTAILMENT = ("entailment", "not_entailment")
for _task in (
    GlueTask("cola", ("sentence",), ("unacceptable", "acceptable"), ("matthews_correlation",),
             description="is a sentence grammatical"),
    GlueTask("sst2", ("sentence",), ("negative", "positive"), ("accuracy",), description="sentiment of film reviews"),
    GlueTask("mrpc", _PAIR, ("not_equivalent", "equivalent"), ("accuracy", "f1"), description="paraphrases in news"),
    GlueTask("rte", _PAIR, _ENTAILMENT, ("accuracy",), description="textual entailment"),
    GlueTask("stsb", _PAIR, (), ("pearson", "spearman"), description="similarity from 0 to 5"),
    GlueTask("qnli", ("question", "sentence"), _ENTAILMENT, ("accuracy",), description="does it answer the question"),
    GlueTask("wnli", _PAIR, _ENTAILMENT[::-1], ("accuracy",), description="entailment that turns on a pronoun"),
    GlueTask("mnli", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), ("accuracy",),
             "validation_matched", "entailment over many genres"),
    GlueTask("qqp", ("question1", "question2"), ("not_duplicate", "duplicate"), ("accuracy", "f1"),
             description="duplicate questions"),
):  # fmt: skip
    GLUE.add(_task.name, _task)


@dataclass(frozen=True, eq=False)
class GlueSplit:
    """Texts and labels of one split, in the order of its files.

    Args:
        task: what it belongs to.
        split: its name.
        table: a `datasets.Dataset` with the task's columns and `label`.
        origin: how it was read.
    """

    task: GlueTask
    split: str
    table: Any
    origin: ParquetTable

    @cached_property
    def source(self) -> dict[str, Any]:
        """Source of the texts, for the record: Hub repository and revision, or folder and file hashes."""
        return self.origin.describe()

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, column: str) -> Any:
        return self.table[column]

    @property
    def texts(self) -> list[str] | list[tuple[str, str]]:
        """Each text, or pair of texts."""
        columns = [self.table[name][:] for name in self.task.columns]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    @property
    def labels(self) -> list[int] | list[float]:
        """Class numbers, or scores."""
        return list(self.table["label"][:])

    def select(self, rows: Sequence[int]) -> "GlueSplit":
        """The same split with these rows only, in this order."""
        return replace(self, table=self.table.select(rows))


def load_glue(task: str, split: str | None = None, data: str | Path | None = None) -> GlueSplit:
    """Open one split of a task.

    Args:
        task: a name in `GLUE`.
        split: None takes the task's split for evaluation.
        data: a local folder with a folder per task, as the Hub repository has it, or the task's own folder. None
            fetches from the Hub, into its cache; `HF_ENDPOINT`, `HF_HOME` and `HF_HUB_OFFLINE` are honoured.

    Raises:
        UnknownNameError: no such task or split.
        DataNotFoundError: no such folder, file or column; files that cannot be read or hold no texts; hidden labels,
            or those of another task; the Hub not reachable.
    """
    spec = GLUE.get(task)
    name = split or spec.evaluation
    if name not in spec.splits:
        raise UnknownNameError(f"split of {task}", name, spec.splits)
    table = table_from_hub(spec, name) if data is None else _from_folder(spec, name, Path(data))
    columns = [*spec.columns, "label"]
    require_columns(spec, table, columns)
    rows = table.rows.select_columns(columns)
    where = f"{table.where}, split {name!r},"
    _check_texts(spec, rows, where)
    _check_labels(spec, rows, where)
    return GlueSplit(spec, name, rows, table)


def _from_folder(spec: GlueTask, split: str, data: Path) -> ParquetTable:
    """Only the task's own folder is searched: several tasks have the same columns."""
    folder = existing_folder(spec, data)
    place = folder / spec.name
    if not place.is_dir():
        others = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        if (folder.name in GLUE and folder.name != spec.name) or not list(folder.glob("*.parquet")):
            raise DataNotFoundError(
                f"Asked for {spec.name} in {folder}, which has no folder {spec.name!r}; folders there: "
                f"{', '.join(others[:12]) or 'none'}. Name a folder laid out like {HUB_ID}, or leave --data out to "
                "fetch it from the Hub."
            )
        place = folder
    files = sorted(file for file in place.glob("*.parquet") if file.is_file())
    if not files:
        raise DataNotFoundError(f"Asked for {spec.name} in {place}, which has no parquet files. Fetch them again.")
    return table_from_files(spec, split, folder, files)


def _check_texts(spec: GlueTask, rows: Any, where: str) -> None:
    for column in spec.columns:
        values = rows.data.column(column)
        if "string" not in str(values.type) or values.null_count:
            raise DataNotFoundError(
                f"{spec.name} needs texts in column {column!r}; {where} has {values.type} with {values.null_count} "
                "missing. Fetch the files again."
            )


def _check_labels(spec: GlueTask, rows: Any, where: str) -> None:
    names = tuple(getattr(rows.features["label"], "names", None) or ())
    if names and names != spec.labels:
        raise DataNotFoundError(
            f"{spec.name} has the labels {list(spec.labels) or 'from 0 to 5'}; {where} names them {list(names)}. "
            "Is it another task?"
        )
    values = set(rows.data.column("label").unique().to_pylist())
    if values <= {-1, None}:
        raise DataNotFoundError(
            f"GLUE hides the labels of {spec.name} in {where} which are -1. Choose --split {spec.evaluation}."
        )
    wrong = sorted(v for v in values if v is not None and not _is_label(spec, v))
    if wrong or None in values:
        wanted = f"0 to {len(spec.labels) - 1}" if spec.labels else "0 to 5"
        raise DataNotFoundError(
            f"{spec.name} has labels from {wanted}; {where} has {wrong[0] if wrong else None!r}. Fetch the files again."
        )


def _is_label(spec: GlueTask, value: float) -> bool:
    return value in range(len(spec.labels)) if spec.labels else 0 <= value <= 5

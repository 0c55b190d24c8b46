"""Checkpoint that a fine-tuning run goes on from, and the check that it is this run's.

transformers writes a checkpoint file by file. A mark is put into its folder once all of it is there: a checkpoint
without one was cut off by a kill and does not count, and the one before it is removed only afterwards.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data.glue import GlueSplit
from zoo.files import write_json
from zoo.training.texts.finetuning_recipe import FinetuneRecipe
from zoo.weights.tag import read_json

MARK = "run.json"
_FOLDER = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint.

    Args:
        folder: where transformers put it.
        step: optimiser steps done.
        identity: `identify` of the run that wrote it.
        seconds: how long that run had taken.
    """

    folder: Path
    step: int
    identity: Mapping[str, Any]
    seconds: float


def identify(recipe: FinetuneRecipe, splits: Mapping[str, GlueSplit], processes: int) -> dict[str, Any]:
    """Return what decides a run's result, as plain values for `zoo.training.resume.check_same`.

    Args:
        recipe: what to do.
        splits: the data by what it is for.
        processes: how many share each batch.
    """
    data = {use: {"texts": len(split), "digest": _digest(split)} for use, split in splits.items()}
    return {"recipe": recipe.to_dict(), "processes": processes, "data": data}


def _digest(split: GlueSplit) -> str:
    digest = hashlib.sha256()
    for text, label in zip(split.texts, split.labels, strict=True):
        digest.update(repr((text, label)).encode())
    return digest.hexdigest()


def mark(folder: Path, step: int, identity: Mapping[str, Any], seconds: float) -> None:
    """Say that the checkpoint of `step` in a run's folder is whole, and remove all others."""
    whole = folder / f"checkpoint-{step}"
    write_json(whole / MARK, {"identity": identity, "seconds": seconds})
    remove(folder, but=whole)


def remove(folder: Path, but: Path | None = None) -> None:
    """Remove the checkpoints of a run's folder, `but` one."""
    for path, _ in checkpoints(folder):
        if path != but:
            shutil.rmtree(path)


def find(folder: Path) -> Checkpoint | None:
    """The last whole checkpoint of a run's folder, or None.

    Raises:
        WeightsCorruptError: its mark cannot be read.
    """
    whole = [(step, path) for path, step in checkpoints(folder) if (path / MARK).is_file()]
    if not whole:
        return None
    step, path = max(whole)
    stored = read_json(path / MARK)
    return Checkpoint(path, step, stored["identity"], stored["seconds"])


def checkpoints(folder: Path) -> Iterator[tuple[Path, int]]:
    """Every checkpoint in a run's folder with its step, whole or not."""
    for path in sorted(folder.glob("checkpoint-*")):
        name = _FOLDER.fullmatch(path.name)
        if name and path.is_dir():
            yield path, int(name[1])

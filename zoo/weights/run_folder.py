"""The folder that a training run leaves: how it is told, and the network in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import WeightsCorruptError, WeightsNotFoundError, ZooError
from zoo.weights.tag import WEIGHTS_FILE, read_json

LOG_FILE, RECIPE_FILE, SUMMARY_FILE = "log.jsonl", "recipe.json", "summary.json"


def find_run_folder(path: str | Path) -> Path | None:
    """The folder of a run on images, finished or not, of which `path` is the folder or the weights file, or None."""
    place = Path(path)
    folder = place.parent if place.name == WEIGHTS_FILE and place.is_file() else place
    return folder if (folder / LOG_FILE).is_file() else None


def run_base(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The record of a finished run's network, what describes its input and classes under timm's keys, its dataset.

    Raises:
        WeightsNotFoundError: the run is not finished.
        WeightsCorruptError: its summary cannot be read.
    """
    file = folder / SUMMARY_FILE
    if not file.is_file():
        raise WeightsNotFoundError(
            f"{folder} holds a run that is not finished: {SUMMARY_FILE} is missing. Go on with the command that began "
            "it and --resume."
        )
    summary = read_json(file)
    with understood(folder):
        data, model = summary["data"], summary["recipe"]["model"]
        labels = data.get("labels") or []
        classes = data.get("num_classes") or model.get("num_classes") or len(labels)
        parts = {key: model[key] for key in ("norm", "act") if model.get(key)}
        arguments = {**parts, **(model.get("args") or {}), "num_classes": classes}
        described = {**data["preprocess"], "label_names": tuple(labels), "num_classes": classes}
        base = summary.get("base") or {"kind": "zoo", "name": model["name"], "arguments": arguments}
        return base, described, data["dataset"]


@contextmanager
def understood(folder: str | Path) -> Iterator[None]:
    """Turn what goes wrong in the block, which makes something of a run's files, into one error.

    Raises:
        WeightsCorruptError: they lack something that a run writes, or hold something else there.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        if isinstance(error, ZooError):
            raise
        said = f"{type(error).__name__}: {error}"
        raise WeightsCorruptError(
            f"The files of the run in {folder} are damaged, or another program wrote them ({said:.200}). Take the "
            "folder from where it was made, or train again."
        ) from error

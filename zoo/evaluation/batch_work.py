"""Cutting the work into batches and recording how it was done: the same for images and texts."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch

from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError, ShapeError, WeightsMismatchError
from zoo.evaluation.protocols import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.evaluation.evaluated_model import EvaluatedModel

Item = TypeVar("Item")

# A failing device is not a model that was given a wrong input; older versions of torch lack the second name.
_DEVICE_ERRORS = tuple(
    getattr(torch, name) for name in ("OutOfMemoryError", "AcceleratorError") if hasattr(torch, name)
)


@dataclass(frozen=True)
class BatchPart(Generic[Item]):
    """One process's share of the work: something of each of its batches, their samples, and how long that took."""

    items: list[Item]
    count: int
    seconds: float


def check_numbers(**given: int | None) -> None:
    """Refuse numbers of samples, pixels or workers that make no sense.

    Raises:
        ConfigurationError: naming the argument.
    """
    for name, value in given.items():
        least = 0 if name == "workers" else 1
        if value is not None and value < least:
            raise ConfigurationError(f"{name} is {value}; give at least {least}, or leave it out.")


def choose(available: int, limit: int | None, what: str) -> list[int]:
    """Choose the samples: all, or `limit` of them evenly spaced, since many datasets are sorted by class.

    Raises:
        ConfigurationError: there are none, or fewer than `limit`.
    """
    if available == 0:
        raise ConfigurationError(f"The split has no {what}; choose another one.")
    if limit is not None and limit > available:
        raise ConfigurationError(f"The limit is {limit}, the split has {available} {what}; lower it or leave it out.")
    count = limit or available
    return [i * available // count for i in range(count)]


def cut(indices: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches of `batch_size`, the last one perhaps smaller."""
    return [list(indices[i : i + batch_size]) for i in range(0, len(indices), batch_size)]


def predict(subject: "EvaluatedModel[Any]", inputs: Any, count: int, batch: str, advice: str) -> "Tensor":
    """Scores as float32 on the CPU, with a refusal to run told in terms of the input.

    Args:
        subject: the model.
        inputs: one batch.
        count: samples in it.
        batch: what it is, for messages.
        advice: what to check if the model does not run on it.

    Raises:
        ShapeError: the model does not run on it, or returns no table of scores.
    """
    try:
        outputs = subject.predict(inputs)
    except _DEVICE_ERRORS:
        raise
    except (RuntimeError, AssertionError, IndexError) as error:  # timm asserts the input size, torch's layers raise
        reason = " ".join(str(error).split())[:300]
        raise ShapeError(f"{subject.name} does not run on a batch of {batch}: {reason}. {advice}") from error
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or len(outputs) != count:
        shape = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise ShapeError(
            f"{subject.name} returned {shape} for a batch of {batch}; a classifier returns ({count}, classes)."
        )
    return outputs.to("cpu", torch.float32)


def check_finite(subject: "EvaluatedModel[Any]", outputs: "Tensor", number: int, what: str, dataset: str) -> None:
    """Refuse scores that are NaN or infinite.

    Raises:
        WeightsMismatchError: naming the batch.
    """
    bad = int((~torch.isfinite(outputs)).any(dim=1).sum())
    if bad:
        raise WeightsMismatchError(
            f"{subject.name} gave NaN or infinite scores for {bad} of {len(outputs)} {what} in batch {number} (counted "
            f"from 0) of {dataset}. Check the weights; under float16 autocast values may overflow: use float32 or "
            "bfloat16."
        )


def threads_of(place: "torch.device", processes: int) -> int | None:
    """Processes on one CPU share its cores; a runtime with threads of its own must be told."""
    return torch.get_num_threads() if processes > 1 and place.type == "cpu" else None


@contextmanager
def bar(progress: Progress | None, description: str, total: int) -> Iterator[Callable[[int], None]]:
    """The progress bar, or nothing where there is none."""
    if progress is None:
        yield lambda samples: None
        return
    with progress(description, total) as advance:
        yield advance


def facts(subject: "EvaluatedModel[Any]", place: "torch.device", command: str | None) -> dict[str, Any]:
    """Return a result's facts on model, hardware and time."""
    return {
        "model": subject.name,
        "tag": subject.tag,
        "sha256": subject.sha256,
        "changed_since": subject.changed_since,
        "runtime": subject.runtime,
        "device": place.type,
        "hardware": hardware(place),
        "versions": library_versions(),
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def command_line(model: str, options: dict[str, Any]) -> str:
    """The command that repeats an evaluation."""
    given = [part for flag, value in options.items() if value is not None for part in (flag, str(value))]
    return shlex.join(["zoo", "evaluate", model, *given])

"""Evaluation: any predictor on any image dataset, in one process or many, with the same figures to the sample."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import torch

from zoo._devices import choose_device, join_processes
from zoo._environment import hardware, library_versions
from zoo.data.labels import check_same_order
from zoo.data.loading import load_batches
from zoo.data.preprocess import Preprocess
from zoo.data.vision import ImageDataset, load_vision
from zoo.errors import ConfigurationError, ShapeError, WeightsMismatchError
from zoo.evaluation.classification import Classification
from zoo.evaluation.result import EvalResult
from zoo.evaluation.subject import Setting, Subject, default_device, open_subject
from zoo.evaluation.task import Predictor, Progress, Sums, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

# A failing device is not a model that was given a wrong input; older versions of torch lack the second name.
_DEVICE_ERRORS = tuple(
    getattr(torch, name) for name in ("OutOfMemoryError", "AcceleratorError") if hasattr(torch, name)
)


def evaluate(
    model: "str | Path | nn.Module | Predictor",
    dataset: str,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    batch_size: int = 128,
    img_size: int | None = None,
    limit: int | None = None,
    device: str | None = None,
    precision: str = "float32",
    workers: int = 0,
    preprocess: Preprocess | None = None,
    progress: Progress | None = None,
) -> EvalResult:
    """Measure Top-1, Top-5 and loss of a model.

    Started by `accelerate launch` or `torchrun`, the processes share the work and all return the same result. The
    images are cut into batches first and the batches are dealt out, so every batch holds the same images whatever the
    number of processes; counts are integers, batch losses are float64 and added with one rounding. One process and
    many therefore agree to the sample, and in the loss to about 1e-9 (exactly, where the device computes a batch
    reproducibly).

    Args:
        model: `model.tag` or folder (see `zoo.create_model`), FILE.onnx, a module, or a predictor.
        dataset: a name in `zoo.data.DATASETS`.
        data: local folder of the dataset; None fetches from the Hub.
        split: part of the dataset; None takes its default for evaluation.
        batch_size: images per batch.
        img_size: evaluate at this size, such as 288 for an ImageNet model; None takes the model's own.
        limit: evaluate this many images, evenly spaced over the split; None takes all.
        device: "cpu", "cuda", "cuda:N" or "mps"; None: where a given module is, else the best there is.
        precision: "float32", or "bfloat16" or "float16" for autocast.
        workers: processes that decode images; 0 decodes in this one.
        preprocess: overrides the model's own.
        progress: opens a progress bar; only the first process calls it.

    Returns:
        The figures and everything needed to repeat them.

    Raises:
        ZooError: one of its kinds for each thing that can be wrong: an unknown name, missing data or weights, an input
            size or number of classes that does not fit, labels in another order, scores that are not finite.
    """
    _check_numbers(batch_size=batch_size, img_size=img_size, limit=limit, workers=workers)
    place = choose_device(default_device(model) if device is None else device)
    processes = join_processes(place)
    images = load_vision(dataset, split, data)
    task = Classification()
    # Processes on one CPU share its cores; a runtime with threads of its own must be told.
    threads = torch.get_num_threads() if processes.count > 1 and place.type == "cpu" else None
    with open_subject(model, Setting(place, precision, img_size, preprocess, threads)) as subject:
        check_same_order(subject.name, subject.labels, f"dataset {dataset}", images.labels)
        batches = _batches(len(images), limit, batch_size)
        own = processes.share(list(enumerate(batches)))
        with _bar(progress if processes.main else None, dataset, sum(len(b) for _, b in own)) as advance:
            part = _score_batches(subject, images, task, own, workers, advance)
    parts = processes.gather(part)
    total = task.combine([sums for part in parts for sums in part.sums])
    repeatable = isinstance(model, str | Path) and preprocess is None
    options = {"--data": data, "--split": images.split, "--batch-size": batch_size, "--img-size": img_size,
               "--limit": limit, "--device": place.type, "--precision": precision}  # fmt: skip
    return EvalResult(
        model=subject.name,
        tag=subject.tag,
        sha256=subject.sha256,
        runtime=subject.runtime,
        dataset=dataset,
        source=images.source,
        split=images.split,
        limit=limit,
        **task.metrics(total),
        preprocess=subject.preprocess,
        batch_size=batch_size,
        precision=precision,
        device=place.type,
        hardware=hardware(place),
        images_per_process=tuple(sum(sums.n for sums in part.sums) for part in parts),
        seconds=max(part.seconds for part in parts),
        versions=library_versions(),
        command=_command(str(model), dataset, options) if repeatable else None,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@dataclass(frozen=True)
class _Part(Generic[Sums]):
    """What one process did: the sums of each of its batches, and how long that took."""

    sums: list[Sums]
    seconds: float


class _Inputs:
    """Images of a dataset as model inputs."""

    def __init__(self, images: ImageDataset, preprocess: Preprocess) -> None:
        self.images, self.preprocess = images, preprocess

    def __getitem__(self, index: int) -> tuple["Tensor", int]:
        image, label = self.images[index]
        return self.preprocess(image), label


def _score_batches(
    subject: Subject,
    images: ImageDataset,
    task: Task[Sums],
    batches: Sequence[tuple[int, list[int]]],
    workers: int,
    advance: Callable[[int], None],
) -> _Part[Sums]:
    """Predict and score the given (number, image indices) batches."""
    loaded = load_batches(_Inputs(images, subject.preprocess), [indices for _, indices in batches], workers)
    start, sums = time.perf_counter(), []
    for (number, indices), (inputs, targets) in zip(batches, loaded, strict=True):
        outputs = _predict(subject, inputs)
        _check_outputs(subject, images, outputs, number, len(indices))
        sums.append(task.score(outputs, targets))
        advance(len(indices))
    return _Part(sums, time.perf_counter() - start)


def _predict(subject: Subject, inputs: "Tensor") -> "Tensor":
    """Scores as float32 on the CPU, with a refusal to run told in terms of the input's shape."""
    try:
        outputs = subject.predict(inputs)
    except _DEVICE_ERRORS:
        raise
    except (RuntimeError, AssertionError) as error:  # timm asserts the input size, torch's layers raise
        raise ShapeError(
            f"{subject.name} does not run on a batch of shape {tuple(inputs.shape)} (images, channels, height, width): "
            f"{' '.join(str(error).split())[:300]}. Check --img-size and the model's preprocessing."
        ) from error
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or len(outputs) != len(inputs):
        shape = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise ShapeError(
            f"{subject.name} returned {shape} for {len(inputs)} images; a classifier returns (n, classes)."
        )
    return outputs.to("cpu", torch.float32)


def _check_outputs(subject: Subject, images: ImageDataset, outputs: "Tensor", number: int, size: int) -> None:
    if outputs.shape[1] != images.num_classes:
        raise ConfigurationError(
            f"{subject.name} has {outputs.shape[1]} classes, dataset {images.name} has {images.num_classes}. Evaluate "
            "on the dataset the model was trained for."
        )
    bad = int((~torch.isfinite(outputs)).any(dim=1).sum())
    if bad:
        raise WeightsMismatchError(
            f"{subject.name} gave NaN or infinite scores for {bad} of {size} images in batch {number} (counted from 0) "
            f"of {images.name}. Check the weights; under float16 autocast values may overflow: use float32 or bfloat16."
        )


def _check_numbers(**given: int | None) -> None:
    for name, value in given.items():
        least = 0 if name == "workers" else 1
        if value is not None and value < least:
            raise ConfigurationError(f"{name} is {value}; give at least {least}, or leave it out.")


def _batches(available: int, limit: int | None, batch_size: int) -> list[list[int]]:
    """Image indices cut into batches; with a limit, evenly spaced, since many datasets are sorted by class."""
    if available == 0:
        raise ConfigurationError("The split has no images; choose another one.")
    if limit is not None and limit > available:
        raise ConfigurationError(f"The limit is {limit}, the split has {available} images; lower it or leave it out.")
    count = limit or available
    indices = [i * available // count for i in range(count)]
    return [indices[i : i + batch_size] for i in range(0, count, batch_size)]


@contextmanager
def _bar(progress: Progress | None, description: str, total: int) -> Iterator[Callable[[int], None]]:
    if progress is None:
        yield lambda images: None
        return
    with progress(description, total) as advance:
        yield advance


def _command(model: str, dataset: str, options: dict[str, Any]) -> str:
    given = [part for flag, value in options.items() if value is not None for part in (flag, str(value))]
    return shlex.join(["zoo", "evaluate", model, "--dataset", dataset, *given])

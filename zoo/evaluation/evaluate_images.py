"""Evaluation on images: any predictor on any dataset, in one process or many, with the same figures to the sample."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.image_dataset import ImageDataset, dataset_spec
from zoo.data.labels import check_same_order
from zoo.data.loading import ModelInputs, load_batches
from zoo.data.preprocess import Preprocess
from zoo.data.subset import match_classes, without_unreadable
from zoo.data.vision import load_vision
from zoo.devices import choose_device, join_processes, torch_defaults
from zoo.errors import ConfigurationError
from zoo.evaluation import batch_work
from zoo.evaluation.classification import Classification
from zoo.evaluation.evaluated_model import EvaluatedModel, EvaluationSetting, default_device, open_subject
from zoo.evaluation.image_evaluation import IMAGES
from zoo.evaluation.result import EvalResult
from zoo.evaluation.task import Predictor, Progress, Sums, Task

if TYPE_CHECKING:
    from torch import Tensor, nn


@torch_defaults("cpu")
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
    labels: Sequence[str] = (),
    classes: Mapping[str, str | int] | None = None,
    skip_unreadable: bool = False,
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
        dataset: a name in `zoo.data.DATASETS`, or ORG/NAME of a dataset of the Hub.
        data: local folder of the dataset; None fetches from the Hub.
        split: part of the dataset; None takes its default for evaluation.
        batch_size: images per batch.
        img_size: evaluate at this size, such as 288 for an ImageNet model; None takes the model's own.
        limit: evaluate this many images, evenly spaced over the split; None takes all.
        device: "cpu", "cuda", "cuda:N" or "mps"; None: where a given module is, else the best there is.
        precision: "float32", or "bfloat16" or "float16" for autocast.
        workers: processes that decode images; 0 decodes in this one.
        preprocess: overrides the model's own; an image classifier in a foreign ONNX file has none.
        labels: class names of a model or foreign ONNX file that has none, in the order of its outputs.
        classes: of each class of the data the model's class, by name or number. None: the same classes in the same
            order; or, for fewer ones and for folders of one's own, those of the same name.
        skip_unreadable: leave out images that cannot be decoded, and list them in the result's `source`; otherwise the
            first one is an error that names it.
        progress: opens a progress bar; only the first process calls it.

    Returns:
        The figures and everything needed to repeat them.

    Raises:
        ZooError: one of its kinds for each thing that can be wrong: an unknown name, missing data or weights, an input
            size or number of classes that does not fit, labels in another order, scores that are not finite.
    """
    dataset_spec(dataset)
    batch_work.check_numbers(batch_size=batch_size, img_size=img_size, limit=limit, workers=workers)
    place = choose_device(default_device(model) if device is None else device)
    processes = join_processes(place)
    task = Classification()
    threads = batch_work.threads_of(place, processes.count)
    setting = EvaluationSetting(place, precision, img_size, preprocess, threads, tuple(labels))
    # The model is opened first: a mistyped name is not answered after a download of the whole dataset.
    with open_subject(model, setting, IMAGES) as subject:
        images = load_vision(dataset, split, data)
        images = without_unreadable(images) if skip_unreadable else images
        images = _with_classes_of(subject, images, classes)
        batches = batch_work.cut(batch_work.choose(len(images), limit, "images"), batch_size)
        own = processes.share(list(enumerate(batches)))
        with batch_work.bar(progress if processes.main else None, dataset, sum(len(b) for _, b in own)) as advance:
            part = _score_batches(subject, images, task, own, workers, advance)
    parts = processes.gather(part)
    total = task.combine([sums for part in parts for sums in part.items])
    repeatable = isinstance(model, str | Path) and not (preprocess or labels or classes)
    options = {"--dataset": dataset, "--data": data, "--split": split or images.split, "--batch-size": batch_size,
               "--img-size": img_size, "--limit": limit, "--device": place.type, "--precision": precision}  # fmt: skip
    return EvalResult(
        **batch_work.facts(subject, place, batch_work.command_line(str(model), options) if repeatable else None),
        **task.metrics(total),
        dataset=dataset,
        source=images.source,
        split=images.split,
        limit=limit,
        preprocess=subject.preprocess,
        batch_size=batch_size,
        precision=subject.runtime.get("precision", precision),
        images_per_process=tuple(sum(sums.n for sums in part.items) for part in parts),
        seconds=max(part.seconds for part in parts),
    )


def _score_batches(
    subject: EvaluatedModel[Preprocess],
    images: ImageDataset,
    task: Task[Sums],
    batches: Sequence[tuple[int, list[int]]],
    workers: int,
    advance: Callable[[int], None],
) -> batch_work.BatchPart[Sums]:
    """Predict and score the given (number, image indices) batches."""
    loaded = load_batches(ModelInputs(images, subject.preprocess), [indices for _, indices in batches], workers)
    start, sums = time.perf_counter(), []
    for (number, indices), (inputs, targets) in zip(batches, loaded, strict=True):
        shape = f"shape {tuple(inputs.shape)} (images, channels, height, width)"
        outputs = batch_work.predict(
            subject, inputs, len(indices), shape, "Check --img-size and the model's preprocessing."
        )
        _check_classes(subject, images, outputs)
        batch_work.check_finite(subject, outputs, number, "images", images.name)
        sums.append(task.score(outputs, targets))
        advance(len(indices))
    return batch_work.BatchPart(sums, time.perf_counter() - start)


def _with_classes_of(
    subject: EvaluatedModel[Preprocess], images: ImageDataset, classes: Mapping[str, str | int] | None
) -> ImageDataset:
    """The images with the model's class numbers."""
    ours, theirs = subject.labels, images.labels
    if classes is not None:
        if not ours or not theirs:
            nameless = images.name if ours else subject.name
            raise ConfigurationError(f"A class map needs names on both sides; {nameless} has none.")
        return match_classes(images, ours, classes)
    if ours and theirs and (len(theirs) < len(ours) or images.name == "imagefolder") and ours != theirs:
        return match_classes(images, ours)
    check_same_order(subject.name, ours, f"dataset {images.name}", theirs)
    return images


def _check_classes(subject: EvaluatedModel[Preprocess], images: ImageDataset, outputs: "Tensor") -> None:
    if outputs.shape[1] != images.num_classes:
        raise ConfigurationError(
            f"{subject.name} has {outputs.shape[1]} classes, dataset {images.name} has {images.num_classes}. Evaluate "
            "on the dataset the model was trained for."
        )

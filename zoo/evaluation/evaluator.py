"""Evaluation of any predictor, in one process or many, with the same figures to the sample."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.glue import GLUE
from zoo.data.image_dataset import dataset_spec
from zoo.data.own_texts import OWN
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextPreprocess
from zoo.devices import choose_device, join_processes, torch_defaults
from zoo.evaluation import batch_work
from zoo.evaluation.evaluated_model import EvaluatedModel, EvaluationSetting, ModelKind, default_device, open_subject
from zoo.evaluation.image_evaluation import IMAGES, ImageSamples
from zoo.evaluation.protocols import MeasuredSamples, Predictor, Progress
from zoo.evaluation.result import EvalResult, TextResult
from zoo.evaluation.text_evaluation import TEXTS, TextSamples

if TYPE_CHECKING:
    from torch import nn


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
    repeatable = isinstance(model, str | Path) and not (preprocess or labels or classes)
    wanted = _Evaluation(model, "--dataset", dataset, data, split, batch_size, limit, device, precision, repeatable)

    def opened(subject: EvaluatedModel[Preprocess]) -> ImageSamples:
        return ImageSamples(subject, dataset, split, data, workers, classes, skip_unreadable)

    options = {"img_size": img_size, "preprocess": preprocess, "labels": tuple(labels)}
    return EvalResult(**_measure(wanted, IMAGES, options, opened, progress))


@torch_defaults("cpu")
def evaluate_text(
    model: "str | Path | nn.Module | Predictor",
    task: str,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    batch_size: int = 128,
    limit: int | None = None,
    device: str | None = None,
    precision: str = "float32",
    preprocess: TextPreprocess | None = None,
    progress: Progress | None = None,
) -> TextResult:
    """Measure a model on a task of GLUE by the task's official metrics.

    Texts of similar length share a batch, so that little is filled up. Started by `accelerate launch` or `torchrun`,
    the processes share the batches, gather all scores and return the same result; every batch holds the same texts
    whatever the number of processes, and the metrics are computed over the whole split in its own order.

    Args:
        model: `model.tag` or folder (see `zoo.create_model`), FILE.onnx, a module that takes
            `zoo.data.tokenize.INPUT_NAMES`, or a predictor of a dictionary of them.
        task: a name in `zoo.data.glue.GLUE`; or "own", for a file of texts with the model's classes as labels.
        data: local folder of GLUE with a folder per task; None fetches from the Hub.
        split: part of the task; None takes its own for evaluation. GLUE hides the labels of most test splits.
        batch_size: texts per batch.
        limit: evaluate this many texts, evenly spaced over the split; None takes all.
        device: "cpu", "cuda", "cuda:N" or "mps"; None: where a given module is, else the best there is.
        precision: "float32", or "bfloat16" or "float16" for autocast.
        preprocess: overrides the model's own tokenizer.
        progress: opens a progress bar; only the first process calls it.

    Returns:
        The figures and everything needed to repeat them.

    Raises:
        ZooError: one of its kinds for each thing that can be wrong: an unknown name, missing data or weights, a model
            for images, a classifier of another width, labels in another order, scores that are not finite.
    """
    if task != OWN:
        GLUE.get(task)
    batch_work.check_numbers(batch_size=batch_size, limit=limit)
    repeatable = isinstance(model, str | Path) and preprocess is None
    wanted = _Evaluation(model, "--task", task, data, split, batch_size, limit, device, precision, repeatable)

    def opened(subject: EvaluatedModel[TextPreprocess]) -> TextSamples:
        return TextSamples(subject, task, split, data)

    return TextResult(**_measure(wanted, TEXTS, {"preprocess": preprocess}, opened, progress))


@dataclass(frozen=True)
class _Evaluation:
    """The arguments that images and texts share."""

    model: "str | Path | nn.Module | Predictor"
    flag: str
    dataset: str
    data: str | Path | None
    split: str | None
    batch_size: int
    limit: int | None
    device: str | None
    precision: str
    repeatable: bool

    def command(self, split: str | None, img_size: int | None, device: str) -> str | None:
        """The command line that repeats it, or None where there is none."""
        if not self.repeatable:
            return None
        options = {self.flag: self.dataset, "--data": self.data, "--split": split, "--batch-size": self.batch_size,
                   "--img-size": img_size, "--limit": self.limit, "--device": device,
                   "--precision": self.precision}  # fmt: skip
        return batch_work.command_line(str(self.model), options)


def _measure(
    wanted: _Evaluation,
    kind: ModelKind[Any],
    options: Mapping[str, Any],
    opened: Callable[[EvaluatedModel[Any]], MeasuredSamples[Any]],
    progress: Progress | None,
) -> dict[str, Any]:
    """Fields of the result, the same in every process."""
    place = choose_device(default_device(wanted.model) if wanted.device is None else wanted.device)
    processes = join_processes(place)
    threads = batch_work.threads_of(place, processes.count)
    setting: EvaluationSetting[Any] = EvaluationSetting(place, wanted.precision, threads=threads, **options)
    # The model is opened first: a mistyped name is not answered after a download of the whole dataset.
    with open_subject(wanted.model, setting, kind) as subject:
        samples = opened(subject)
        chosen = batch_work.choose(len(samples), wanted.limit, samples.unit)
        own = processes.share(list(enumerate(samples.batches(chosen, wanted.batch_size))))
        shown = progress if processes.main else None
        with batch_work.bar(shown, wanted.dataset, sum(len(indices) for _, indices in own)) as advance:
            part = _score_batches(subject, samples, own, advance)
    parts = processes.gather(part)
    command = wanted.command(wanted.split or samples.split, setting.img_size, place.type)
    return {
        **batch_work.facts(subject, place, command),
        **samples.figures([item for part in parts for item in part.items], chosen),
        "dataset": wanted.dataset,
        "source": samples.source,
        "split": samples.split,
        "limit": wanted.limit,
        "batch_size": wanted.batch_size,
        "precision": subject.runtime.get("precision", wanted.precision),
        f"{samples.unit}_per_process": tuple(part.count for part in parts),
        "seconds": max(part.seconds for part in parts),
    }


def _score_batches(
    subject: EvaluatedModel[Any],
    samples: MeasuredSamples[Any],
    batches: Sequence[tuple[int, list[int]]],
    advance: Callable[[int], None],
) -> batch_work.BatchPart[Any]:
    """Predict and score the given (number, indices) batches."""
    loaded = samples.load([indices for _, indices in batches])
    start, items = time.perf_counter(), []
    for (number, indices), (inputs, targets, shape) in zip(batches, loaded, strict=True):
        outputs = batch_work.predict(subject, inputs, len(indices), shape, samples.advice)
        scored = samples.score(indices, outputs, targets)
        batch_work.check_finite(subject, outputs, number, samples.unit, samples.name)
        items.append(scored)
        advance(len(indices))
    return batch_work.BatchPart(items, sum(len(indices) for _, indices in batches), time.perf_counter() - start)

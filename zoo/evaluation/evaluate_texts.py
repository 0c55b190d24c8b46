"""Evaluation on texts: any predictor on any task of GLUE, in one process or many, with the same figures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zoo.data.glue import GLUE, GlueSplit, GlueTask, load_glue
from zoo.data.labels import check_same_order
from zoo.data.own_texts import OWN, load_own_texts
from zoo.data.tokenize import TextPreprocess
from zoo.devices import choose_device, join_processes, torch_defaults
from zoo.errors import ConfigurationError
from zoo.evaluation import batch_work
from zoo.evaluation.evaluated_model import EvaluatedModel, EvaluationSetting, default_device, open_subject
from zoo.evaluation.glue_metrics import count_correct, mean_loss, official_metrics
from zoo.evaluation.result import TextResult
from zoo.evaluation.task import Predictor, Progress
from zoo.evaluation.text_evaluation import TEXTS

if TYPE_CHECKING:
    from torch import Tensor, nn


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
    spec = None if task == OWN else GLUE.get(task)
    batch_work.check_numbers(batch_size=batch_size, limit=limit)
    place = choose_device(default_device(model) if device is None else device)
    processes = join_processes(place)
    threads = batch_work.threads_of(place, processes.count)
    # The model is opened first: a mistyped name is not answered after a download of the whole task.
    with open_subject(model, EvaluationSetting(place, precision, None, preprocess, threads), TEXTS) as subject:
        whole = load_glue(task, split, data) if spec else _own_texts(subject, split, data)
        spec = whole.task
        texts = whole.select(batch_work.choose(len(whole), limit, "texts"))
        _check_labels(subject, spec)
        own = processes.share(list(enumerate(_by_length(texts, batch_size))))
        with batch_work.bar(progress if processes.main else None, task, sum(len(b) for _, b in own)) as advance:
            part = _score_batches(subject, texts, own, advance)
    parts = processes.gather(part)
    logits, labels = _in_order(parts, len(texts)), torch.tensor(texts.labels)
    repeatable = isinstance(model, str | Path) and preprocess is None
    options = {"--task": task, "--data": data, "--split": whole.split, "--batch-size": batch_size, "--limit": limit,
               "--device": place.type, "--precision": precision}  # fmt: skip
    return TextResult(
        **batch_work.facts(subject, place, batch_work.command_line(str(model), options) if repeatable else None),
        dataset=task,
        source=whole.source,
        split=whole.split,
        limit=limit,
        n=len(texts),
        metrics=official_metrics(spec, logits, labels),
        loss=mean_loss(spec, logits, labels),
        correct=count_correct(spec, logits, labels),
        preprocess=subject.preprocess.pinned,
        batch_size=batch_size,
        precision=subject.runtime.get("precision", precision),
        texts_per_process=tuple(sum(len(scored.indices) for scored in part.items) for part in parts),
        seconds=max(part.seconds for part in parts),
    )


def _own_texts(subject: EvaluatedModel[TextPreprocess], split: str | None, data: str | Path | None) -> GlueSplit:
    if split is not None:
        raise ConfigurationError(f"Split {split!r}: a file of one's own texts is measured as a whole.")
    if not subject.labels:
        raise ConfigurationError(f"{subject.name} has no class names to compare the labels of {data} with.")
    return load_own_texts(data, subject.labels)


@dataclass(frozen=True)
class _Scored:
    """Scores of one batch and the texts they are of; plain values, which any process can send."""

    indices: list[int]
    logits: list[list[float]]


def _by_length(texts: GlueSplit, batch_size: int) -> list[list[int]]:
    """Batches of texts of similar length in characters, the shortest first; equal ones stay in order."""
    lengths = [len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts.texts]
    return batch_work.cut(sorted(range(len(lengths)), key=lengths.__getitem__), batch_size)


def _score_batches(
    subject: EvaluatedModel[TextPreprocess],
    texts: GlueSplit,
    batches: Sequence[tuple[int, list[int]]],
    advance: Callable[[int], None],
) -> batch_work.BatchPart[_Scored]:
    """Predict the given (number, text indices) batches."""
    every, start, scored = texts.texts, time.perf_counter(), []
    for number, indices in batches:
        inputs = subject.preprocess.encode([every[i] for i in indices])  # type: ignore[arg-type]
        shape = f"shape {tuple(inputs['input_ids'].shape)} (texts, tokens)"
        advice = "Do tokenizer and model belong together?"
        outputs = batch_work.predict(subject, inputs, len(indices), shape, advice)
        _check_width(subject, outputs, texts.task)
        batch_work.check_finite(subject, outputs, number, "texts", texts.task.name)
        scored.append(_Scored(indices, outputs.tolist()))
        advance(len(indices))
    return batch_work.BatchPart(scored, time.perf_counter() - start)


def _in_order(parts: Sequence[batch_work.BatchPart[_Scored]], count: int) -> "Tensor":
    """All scores (texts, outputs) in the order of the split."""
    rows = {
        i: row for part in parts for scored in part.items for i, row in zip(scored.indices, scored.logits, strict=True)
    }
    return torch.tensor([rows[i] for i in range(count)], dtype=torch.float32)


def _check_labels(subject: EvaluatedModel[TextPreprocess], task: GlueTask) -> None:
    if task.labels:
        check_same_order(subject.name, subject.labels, f"task {task.name}", task.labels)


def _check_width(subject: EvaluatedModel[TextPreprocess], outputs: "Tensor", task: GlueTask) -> None:
    if outputs.shape[1] != task.num_outputs:
        kind = f"{task.num_outputs} classes" if task.labels else "1 output, a score"
        raise ConfigurationError(
            f"{subject.name} has {outputs.shape[1]} outputs, task {task.name} has {kind}. Evaluate on the task the "
            "model was fine-tuned for."
        )

"""Evaluation on texts: models that take them, and the texts of a task as samples."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo.data.glue import GlueSplit, load_glue
from zoo.data.labels import check_same_order
from zoo.data.own_texts import OWN, load_own_texts
from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.evaluation.batch_work import cut
from zoo.evaluation.evaluated_model import EvaluatedModel, EvaluationSetting
from zoo.evaluation.glue_metrics import count_correct, mean_loss, official_metrics

if TYPE_CHECKING:
    from torch import Tensor, nn


class TextKind:
    """The `Kind` of models that take `zoo.data.tokenize.INPUT_NAMES`, each int64 (n, tokens)."""

    def of_module(self, module: "nn.Module", name: str, setting: EvaluationSetting[TextPreprocess]) -> TextPreprocess:
        """The preprocessing asked for, or the module's own."""
        if setting.preprocess is None and getattr(module, "pretrained_cfg", None):
            raise ConfigurationError(_takes_images(name))
        used = setting.preprocess or TextPreprocess.of(module)
        most = getattr(getattr(module, "config", None), "max_position_embeddings", None)
        if most is not None and used.max_length > most:
            raise ConfigurationError(
                f"{name} has positions for {most} tokens, its texts are cut to {used.max_length}. Give a "
                f"TextPreprocess with max_length {most} or less."
            )
        return used

    def of_predictor(self, predictor: Any, name: str, setting: EvaluationSetting[TextPreprocess]) -> TextPreprocess:
        """The preprocessing asked for, or the predictor's own."""
        used = setting.preprocess or getattr(predictor, "preprocess", None)
        if isinstance(used, Preprocess):
            raise ConfigurationError(_takes_images(name))
        if not isinstance(used, TextPreprocess):
            raise ConfigurationError(
                f"{name} has no attribute `preprocess`. Pass evaluate_text(..., preprocess=...) for it."
            )
        return used


TEXTS = TextKind()


@dataclass(frozen=True)
class ScoredTexts:
    """Scores of one batch and the texts they are of; plain values, which any process can send."""

    indices: list[int]
    logits: list[list[float]]


class TextSamples:
    """The `MeasuredSamples` of a task of GLUE, or of a file of one's own texts.

    Args:
        subject: the model.
        name: of the task, or "own".
        split: part of it; None takes its own for evaluation.
        data: local folder or file; None fetches from the Hub.

    Raises:
        ZooError: as `zoo.evaluate_text` does for its data.
    """

    unit = "texts"
    advice = "Do tokenizer and model belong together?"

    def __init__(
        self, subject: EvaluatedModel[TextPreprocess], name: str, split: str | None, data: str | Path | None
    ) -> None:
        self._texts = _own_texts(subject, split, data) if name == OWN else load_glue(name, split, data)
        self._task, self._subject = self._texts.task, subject
        self.name = self._task.name
        self.split: str | None = self._texts.split
        self.source: dict[str, Any] = self._texts.source
        if self._task.labels:
            check_same_order(subject.name, subject.labels, f"task {self.name}", self._task.labels)

    def __len__(self) -> int:
        return len(self._texts)

    def batches(self, chosen: Sequence[int], batch_size: int) -> list[list[int]]:
        """Batches of texts of similar length in characters, the shortest first; equal ones stay in order."""
        texts = self._texts.texts
        lengths = {i: len(text) if isinstance(text := texts[i], str) else sum(map(len, text)) for i in chosen}
        return cut(sorted(chosen, key=lengths.__getitem__), batch_size)

    def load(self, batches: Sequence[Sequence[int]]) -> Iterator[tuple[Any, None, str]]:
        """The model's input for each batch and its shape in words."""
        texts = self._texts.texts
        for indices in batches:
            inputs = self._subject.preprocess.encode([texts[i] for i in indices])  # type: ignore[arg-type]
            yield inputs, None, f"shape {tuple(inputs['input_ids'].shape)} (texts, tokens)"

    def score(self, indices: Sequence[int], outputs: "Tensor", targets: Any) -> ScoredTexts:
        """The scores of one batch.

        Raises:
            ConfigurationError: the model has another number of outputs than the task.
        """
        if outputs.shape[1] != self._task.num_outputs:
            kind = f"{self._task.num_outputs} classes" if self._task.labels else "1 output, a score"
            raise ConfigurationError(
                f"{self._subject.name} has {outputs.shape[1]} outputs, task {self.name} has {kind}. Evaluate on the "
                "task the model was fine-tuned for."
            )
        return ScoredTexts(list(indices), outputs.tolist())

    def figures(self, parts: Sequence[ScoredTexts], chosen: Sequence[int]) -> dict[str, Any]:
        """Fields of `TextResult`, computed over all texts in the order of the split."""
        rows = {i: row for part in parts for i, row in zip(part.indices, part.logits, strict=True)}
        logits = torch.tensor([rows[i] for i in chosen], dtype=torch.float32)
        labels = torch.tensor([self._texts.labels[i] for i in chosen])
        return {
            "n": len(chosen),
            "metrics": official_metrics(self._task, logits, labels),
            "loss": mean_loss(self._task, logits, labels),
            "correct": count_correct(self._task, logits, labels),
            "preprocess": self._subject.preprocess.pinned,
        }


def _own_texts(subject: EvaluatedModel[TextPreprocess], split: str | None, data: str | Path | None) -> GlueSplit:
    if split is not None:
        raise ConfigurationError(f"Split {split!r}: a file of one's own texts is measured as a whole.")
    if not subject.labels:
        raise ConfigurationError(f"{subject.name} has no class names to compare the labels of {data} with.")
    return load_own_texts(data, subject.labels)


def _takes_images(name: str) -> str:
    command = f"zoo evaluate {shlex.quote(name)} --dataset cifar10"
    return f"{name} takes images, not texts. Measure it on a dataset: {command}."

"""Models that take texts, as subjects of an evaluation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.evaluation.evaluated_model import EvaluationSetting

if TYPE_CHECKING:
    from torch import nn

    from zoo.weights.tag import PretrainedTag


class TextKind:
    """The `Kind` of models that take `zoo.data.tokenize.INPUT_NAMES`, each int64 (n, tokens)."""

    def created(
        self, model: str | Path, setting: EvaluationSetting[TextPreprocess]
    ) -> "tuple[nn.Module, PretrainedTag]":
        """A model by name."""
        from zoo.weights.create import create_model, find_tag
        from zoo.weights.locate import pinned

        tag = find_tag(model)
        if isinstance(tag.preprocess, Preprocess):
            raise ConfigurationError(_takes_images(str(model)))
        return create_model(pinned(model, tag), pretrained=True), tag  # a branch of the Hub may move in between

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


def _takes_images(name: str) -> str:
    return f"{name} takes images, not texts. Measure it on a dataset: zoo evaluate {name} --dataset cifar10."

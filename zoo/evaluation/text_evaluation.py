"""Models that take texts, as subjects of an evaluation."""

import shlex
from typing import TYPE_CHECKING, Any

from zoo.data.preprocess import Preprocess
from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.evaluation.evaluated_model import EvaluationSetting

if TYPE_CHECKING:
    from torch import nn


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


def _takes_images(name: str) -> str:
    command = f"zoo evaluate {shlex.quote(name)} --dataset cifar10"
    return f"{name} takes images, not texts. Measure it on a dataset: {command}."

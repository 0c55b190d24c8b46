"""Models that take images, as subjects of an evaluation."""

import shlex
from typing import TYPE_CHECKING, Any

from zoo.data.preprocess import Preprocess, config_of, resized
from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.evaluation.evaluated_model import EvaluationSetting
from zoo.models.inputs import check_input

if TYPE_CHECKING:
    from torch import nn


class ImageKind:
    """The `Kind` of models that take batches (n, channels, height, width)."""

    def of_module(self, module: "nn.Module", name: str, setting: EvaluationSetting[Preprocess]) -> Preprocess:
        """The preprocessing asked for, or the module's own, at the size asked for; checked against the module."""
        if isinstance(getattr(module, "text_preprocess", None), TextPreprocess):
            raise ConfigurationError(_takes_texts(name))
        used = setting.preprocess or Preprocess.of(module)
        if setting.img_size is not None:
            used = resized(config_of(module), used, setting.img_size, name)
        check_input(module, (1, *used.input_size))
        return used

    def of_predictor(self, predictor: Any, name: str, setting: EvaluationSetting[Preprocess]) -> Preprocess:
        """The preprocessing asked for, or the predictor's own, at the size asked for."""
        used = setting.preprocess or getattr(predictor, "preprocess", None)
        if isinstance(used, TextPreprocess):
            raise ConfigurationError(_takes_texts(name))
        if not isinstance(used, Preprocess):
            raise ConfigurationError(
                f"{name} has no attribute `preprocess`. Pass evaluate(..., preprocess=...) for it."
            )
        return used if setting.img_size is None else used.for_size(setting.img_size)


IMAGES = ImageKind()


def _takes_texts(name: str) -> str:
    return f"{name} takes texts, not images. Measure it on a GLUE task: zoo evaluate {shlex.quote(name)} --task sst2."

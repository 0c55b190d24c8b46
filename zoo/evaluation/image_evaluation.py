"""Models that take images, as subjects of an evaluation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.preprocess import Preprocess, config_of, resized
from zoo.data.tokenize import TextPreprocess
from zoo.errors import ConfigurationError
from zoo.evaluation.evaluated_model import EvaluationSetting
from zoo.models.inputs import check_input
from zoo.models.model_spec import MODELS

if TYPE_CHECKING:
    from torch import nn

    from zoo.weights.tag import PretrainedTag


class ImageKind:
    """The `Kind` of models that take batches (n, channels, height, width)."""

    def created(self, model: str | Path, setting: EvaluationSetting[Preprocess]) -> "tuple[nn.Module, PretrainedTag]":
        """A model by name; one with positions for a single image size is built for the size asked for."""
        from zoo.weights.create import create_model, find_tag
        from zoo.weights.locate import pinned

        tag, size = find_tag(model), setting.img_size
        if not isinstance(tag.preprocess, Preprocess):
            raise ConfigurationError(_takes_texts(str(model)))
        fixed = MODELS.get(tag.model).pretrained_cfg()["fixed_input_size"]
        other = size is not None and tag.preprocess.input_size[1:] != (size, size)
        same = pinned(model, tag)  # a branch of the Hub may move in between
        return create_model(same, pretrained=True, img_size=size if fixed and other else None), tag

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
    return f"{name} takes texts, not images. Measure it on a GLUE task: zoo evaluate {name} --task sst2."

"""Inputs of a model: one class for each kind, which answers everything an export asks about it."""

from torch import nn

from export.inputs.image import InputSpec
from export.inputs.input_spec import Feeds, ModelInput
from export.inputs.text_input import TextInputSpec, TextLogits, is_text
from zoo.errors import ConfigurationError

__all__ = ["Feeds", "InputSpec", "ModelInput", "TextInputSpec", "TextLogits", "input_of"]


def input_of(model: nn.Module, img_size: int | None = None) -> ModelInput:
    """The input that a model describes itself.

    Args:
        model: of the zoo, of timm, or a text encoder of transformers.
        img_size: for an image model, another height and width than its own.

    Raises:
        ConfigurationError: the model does not describe its input, or an image size is given for texts.
        ShapeError: it takes images of its own size only.
    """
    if not is_text(model):
        return InputSpec.of(model, img_size)
    if img_size is not None:
        raise ConfigurationError(
            f"Asked for images of {img_size} px, but {type(model).__name__} takes texts; the exported file takes any "
            "number of tokens. Leave --img-size (img_size) out."
        )
    return TextInputSpec.of(model)

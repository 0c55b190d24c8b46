"""Weights for a model the user asked to differ from the stored one: other classes, other channels, other image size.

Nothing is adapted unless it was asked for: a file that does not fit on its own account stays an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timm.models import adapt_input_conv
from torch import Tensor, nn

from zoo.errors import ConfigurationError
from zoo.models.inputs import as_size, fit_positions
from zoo.models.model_spec import MODELS
from zoo.weights.tag import PretrainedTag


@dataclass(frozen=True)
class Wishes:
    """Changes the user asked for beyond a name; None means as the tag has it.

    Args:
        num_classes: outputs of the classifier; 0 for none.
        in_chans: channels of the image.
        img_size: side, or (height, width).
    """

    num_classes: int | None = None
    in_chans: int | None = None
    img_size: int | tuple[int, int] | None = None

    def arguments(self) -> dict[str, Any]:
        """Those that were given, as arguments for the builder."""
        return {key: value for key, value in vars(self).items() if value is not None}

    def changed(self, tag: PretrainedTag) -> set[str]:
        """The names of those that differ from what the tag has."""
        channels, *size = tag.pixels.input_size
        differs = {
            "num_classes": self.num_classes not in (None, tag.num_classes),
            "in_chans": self.in_chans not in (None, channels),
            "img_size": self.img_size is not None and as_size(self.img_size) != tuple(size),
        }
        return {name for name, is_other in differs.items() if is_other}


def adapt_state(
    state: Mapping[str, Tensor], model: nn.Module, tag: PretrainedTag, wishes: Wishes
) -> tuple[dict[str, Tensor], set[str]]:
    """Make stored weights fit a model that differs in what the user asked for.

    - `num_classes` other than the tag's: the stored classifier is left out, and the model's fresh one stays.
    - `in_chans` other than the tag's: the first convolution is summed over the channels (1) or repeated and rescaled,
      by `timm.models.adapt_input_conv`.
    - `img_size` of a vision transformer: its learned positions are resampled.

    Args:
        state: the stored weights.
        model: the model as it was asked for.
        tag: what the stored weights are.
        wishes: what was asked for.

    Returns:
        The weights to load, and the names of the parameters that keep their fresh values.

    Raises:
        ConfigurationError: the first convolution cannot be adapted to so many channels.
    """
    spec, changed = MODELS.get(tag.model), wishes.changed(tag)
    adapted, fresh = dict(state), set()
    if "num_classes" in changed:
        head = spec.classifier + "."
        adapted = {name: value for name, value in adapted.items() if not name.startswith(head)}
        fresh = {name for name in model.state_dict() if name.startswith(head)}
    first = spec.first_conv + ".weight"
    if "in_chans" in changed and wishes.in_chans is not None and first in adapted:
        try:
            adapted[first] = adapt_input_conv(
                wishes.in_chans, adapted[first].float()
            )  # a sum in 16 bits would be rounded
        except (NotImplementedError, ValueError) as error:
            raise ConfigurationError(
                f"The first convolution of {tag.name} has shape {tuple(adapted[first].shape)} and cannot be adapted "
                f"to in_chans={wishes.in_chans}: {error}"
            ) from error
    return fit_positions(adapted, model) if "img_size" in changed else adapted, fresh


def describe(tag: PretrainedTag, wishes: Wishes) -> dict[str, Any]:
    """Describe what the weights expect and mean, under timm's keys of `pretrained_cfg`, for the model as asked for.

    With another number of channels every channel gets the average mean and deviation, as the builder does it; with
    another number of classes there are no class names.
    """
    values = tag.pixels
    channels, *size = values.input_size
    mean, std = values.mean, values.std
    if wishes.in_chans is not None and wishes.in_chans != channels:
        channels = wishes.in_chans
        mean, std = (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels
    sides = tuple(size) if wishes.img_size is None else as_size(wishes.img_size)
    return {
        "input_size": (channels, *sides),
        "interpolation": values.interpolation,
        "crop_pct": values.crop_pct,
        "crop_mode": values.crop_mode,
        "mean": mean,
        "std": std,
        "num_classes": tag.num_classes if wishes.num_classes is None else wishes.num_classes,
        "label_names": () if "num_classes" in wishes.changed(tag) else tag.labels,
        "license": tag.license,
    }

"""The input of an image model."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from export.inputs.input_spec import Feeds
from zoo.data.labels import labels_of
from zoo.data.preprocess import Preprocess, config_of, resized
from zoo.errors import ConfigurationError

IMAGE = "image"


@dataclass(frozen=True)
class InputSpec:
    """The one input of an image model.

    Args:
        channels: of an image.
        height: of an image, in pixels.
        width: of an image, in pixels.
        preprocess: how an image file becomes the input; None means pixels scaled to [0, 1], nothing subtracted.
        labels: class names in the order of the logits; empty if there are none.

    Raises:
        ConfigurationError: a size is below 1, or `preprocess` produces another shape.
    """

    channels: int
    height: int
    width: int
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ConfigurationError(f"InputSpec {self.size}: channels, height and width must be at least 1.")
        if self.preprocess is not None and tuple(self.preprocess.input_size) != self.size:
            raise ConfigurationError(
                f"InputSpec says {self.size} (channels, height, width), its preprocessing makes "
                f"{tuple(self.preprocess.input_size)}. Give the same size twice."
            )

    @property
    def size(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def transform(self) -> Preprocess:
        """The preprocessing given, or the plain one."""
        if self.preprocess is not None:
            return self.preprocess
        zeros, ones = (0.0,) * self.channels, (1.0,) * self.channels
        return Preprocess(self.size, "bilinear", 1.0, "center", zeros, ones)

    @classmethod
    def of(cls, model: nn.Module, img_size: int | None = None) -> "InputSpec":
        """The input a model describes itself in `pretrained_cfg`, as those of the zoo and of timm do.

        Args:
            model: the model.
            img_size: another height and width, preprocessed as `zoo.evaluate` does at that size.

        Raises:
            ConfigurationError: the model does not describe its input.
            ShapeError: it takes images of its own size only.
        """
        preprocess = Preprocess.of(model)
        if img_size is not None:
            preprocess = resized(config_of(model), preprocess, img_size, type(model).__name__)
        return cls(*preprocess.input_size, preprocess=preprocess, labels=labels_of(model))

    @property
    def noun(self) -> str:
        """As `ModelInput` has it."""
        return "image"

    @property
    def axes(self) -> dict[str, int | None]:
        """As `ModelInput` has it."""
        return {"batch": None}

    @property
    def layout(self) -> str:
        """As `ModelInput` has it."""
        return "(batch, channels, height, width)"

    def summary(self) -> str:
        """Channels, height and width."""
        return "x".join(map(str, self.size))

    def example(self, batch: int) -> Feeds:
        """Black images."""
        return {IMAGE: torch.zeros(batch, *self.size)}

    def trials(self, batch: int) -> list[Feeds]:
        """The example alone."""
        return [self.example(batch)]

    def record(self) -> dict[str, Any]:
        """`Preprocess.to_dict()`."""
        return self.transform.to_dict()

    def limits(self) -> dict[str, int]:
        """Nothing: the image size stands in the graph."""
        return {}

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model itself."""
        return model

"""Specification of a model before it is built: a row of numbers and the function that reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn

from zoo.models.paper import Paper, Reported
from zoo.registry import Registry

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model of the zoo.

    Args:
        name: the public name, also the name in timm's registry.
        build: `build(spec, parts, options)` returns the module; see `zoo.models.build`.
        family: what its relatives share: the builder, the paper and the twin.
        paper: where the family is from.
        twin: builder arguments of the network it is compared with: the same backbone without what the paper adds.
        numbers: the architecture's own numbers, read by `build` only.
        input_size: default channels, height, width.
        num_classes: default number of classes.
        reduction: input pixels per cell of the last feature map, side by side.
        patch_size: side of a patch; None for a network that takes any image size.
        channel_axis: where the network keeps its channels: 1 for (n, c, h, w) maps, -1 for tokens.
        feature_cfg: what timm wraps the network with for `features_only`.
        norm: default normalisation site; `norms` lists those that fit.
        act: default gate.
        first_conv: name of the first convolution, as timm records it.
        classifier: name of the last linear layer, as timm records it.
        options: further keyword arguments that `build` accepts.
        mean: per-channel mean the input is centred with, for images in [0, 1].
        std: per-channel standard deviation the input is divided by.
        interpolation: how images are resized.
        crop_pct: share of the resized image that the centre crop keeps.
        test_input_size: a second size the papers evaluate at, or None.
        test_crop_pct: crop share at `test_input_size`.
        description: one line for listings.
        source: where the definition comes from.
        reported: what its paper reports, by data set.
    """

    name: str
    build: Callable[..., nn.Module]
    family: str
    paper: Paper
    twin: Mapping[str, str]
    numbers: dict[str, Any]
    input_size: tuple[int, int, int]
    num_classes: int
    reduction: int
    norm: str
    norms: tuple[str, ...]
    act: str
    first_conv: str
    classifier: str
    options: frozenset[str]
    description: str
    source: str
    patch_size: int | None = None
    channel_axis: int = 1
    feature_cfg: dict[str, Any] = field(default_factory=dict)
    mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN
    std: tuple[float, ...] = IMAGENET_DEFAULT_STD
    interpolation: str = "bicubic"
    crop_pct: float = 0.875
    test_input_size: tuple[int, int, int] | None = None
    test_crop_pct: float | None = None
    reported: Mapping[str, Reported] = field(default_factory=dict)

    def pretrained_cfg(
        self,
        *,
        in_chans: int | None = None,
        img_size: tuple[int, int] | None = None,
        num_classes: int | None = None,
        fixed_input_size: bool | None = None,
    ) -> dict[str, Any]:
        """The description timm keeps as `model.pretrained_cfg`, for the model as it was asked for.

        With a number of channels other than three there is no agreed normalisation, so every channel gets the
        average of the three means and deviations [ours]. A size other than the default one drops the second
        evaluation size, which belongs to the default.

        Args:
            in_chans: input channels; None for the default.
            img_size: height and width; None for the default.
            num_classes: classes; None for the default.
            fixed_input_size: whether the network refuses other sizes; None derives it from `patch_size`.
        """
        channels = self.input_size[0] if in_chans is None else in_chans
        size = self.input_size[1:] if img_size is None else img_size
        cfg: dict[str, Any] = {
            "architecture": self.name,
            "num_classes": self.num_classes if num_classes is None else num_classes,
            "input_size": (channels, *size),
            "pool_size": None
            if self.patch_size == self.reduction
            else tuple(-(-side // self.reduction) for side in size),
            "fixed_input_size": bool(self.patch_size) if fixed_input_size is None else fixed_input_size,
            "interpolation": self.interpolation,
            "crop_pct": self.crop_pct,
            "mean": self._per_channel(self.mean, channels),
            "std": self._per_channel(self.std, channels),
            "first_conv": self.first_conv,
            "classifier": self.classifier,
            "license": "apache-2.0",
            "description": self.description,
            "paper_ids": self.paper.id,
        }
        if self.test_input_size is not None and size == self.input_size[1:]:
            cfg["test_input_size"] = (channels, *self.test_input_size[1:])
            cfg["test_crop_pct"] = self.test_crop_pct
        return cfg

    @staticmethod
    def _per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
        return values if len(values) == channels else (sum(values) / len(values),) * channels


MODELS: Registry[ModelSpec] = Registry("model")

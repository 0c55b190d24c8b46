"""Observation points in a network: the outputs of its stages, and its activations and norms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from zoo.activations.parameters import activation_spec
from zoo.analysis.stages import STEM, stage_of
from zoo.errors import ConfigurationError

FEATURES = "Features"
"""What the classifier receives; the last row of the paper's tables 7 and 8."""

_STAGES = ("layer1", "layer2", "layer3", "layer4")
_SEQUENCES = ("stages", "layers", "blocks")
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class StageSite:
    """The place where the representation of a stage is read.

    Args:
        stage: its name.
        path: the module there.
        side: whether its output is read, or its input.
        channel_axis: where the channels of a map of four dimensions are: 1 or -1.
    """

    stage: str
    path: str
    side: Literal["output", "input"]
    channel_axis: int


def stage_sites(model: nn.Module) -> list[StageSite]:
    """The outputs of stem and stages (or blocks) of an image backbone, and the input of its classifier.

    In a ResNet the stem is read behind its activation, in front of a max-pool.

    Raises:
        ConfigurationError: the network is not divided in one of the ways timm's backbones are.
    """
    children = dict(model.named_children())
    paths = [name for name in _STAGES if name in children]
    paths += [f"{name}.{i}" for name in _SEQUENCES for i in range(_length(children.get(name)))]
    if not paths:
        raise ConfigurationError(
            f"{type(model).__name__} has neither layer1 to layer4 nor stages, layers or blocks to look between."
        )
    stem = next((name for name in ("act1", "stem", "patch_embed", "conv1") if name in children), None)
    axis = -1 if getattr(model, "output_fmt", "NCHW") == "NHWC" else 1
    sites = [StageSite(STEM, stem, "output", axis)] if stem else []
    sites += [StageSite(stage_of(path), path, "output", axis) for path in paths]
    head = _classifier(model)
    return [*sites, StageSite(FEATURES, head, "input", axis)] if head else sites


def signal_sites(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Path and module of every activation and norm, in the order of the model's modules."""
    for path, module in model.named_modules():
        if activation_spec(module) or isinstance(module, _NORMS):
            yield path, module


def _length(module: nn.Module | None) -> int:
    return len(module) if isinstance(module, nn.Sequential | nn.ModuleList) else 0


def _classifier(model: nn.Module) -> str | None:
    described = getattr(model, "pretrained_cfg", None) or {}
    name = described.get("classifier") if hasattr(described, "get") else getattr(described, "classifier", None)
    return name if isinstance(name, str) and name in dict(model.named_modules()) else None

"""Example inputs for models that say what they take."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.preprocess import config_of

_BATCH = 2


def make_example(model: nn.Module) -> Any:
    """Two random samples for a model of the zoo, of timm or of transformers; None for any other.

    The size is that of `model.pretrained_cfg`; a transformers model gives its `dummy_inputs`, and one that takes images
    gets them in the size its configuration names. The generator of the noise is our own.
    """
    size = config_of(model).get("input_size")
    if size is not None:
        return _noise(model, tuple(size))
    if not is_transformers(model):
        return None
    if _main_input(model) != "pixel_values":
        given: Any = model.dummy_inputs
        return {name: _placed(model, value) for name, value in given.items()}
    config: Any = getattr(model.config, "vision_config", model.config)
    side = getattr(config, "image_size", None)
    if side is None:
        return None
    sides = (side, side) if isinstance(side, int) else tuple(side)
    return {"pixel_values": _noise(model, (getattr(config, "num_channels", 3), *sides))}


def is_transformers(module: nn.Module) -> bool:
    """True if a module is a transformers model; answered without importing transformers."""
    return any(
        c.__name__ == "PreTrainedModel" and c.__module__.startswith("transformers.") for c in type(module).__mro__
    )


def mask_owner(around: Sequence[nn.Module]) -> nn.Module | None:
    """The innermost transformers model around a site, if it is told which of its tokens are padding; images have none.

    Args:
        around: the modules around the site, the outermost first.
    """
    inner = next((module for module in reversed(around) if is_transformers(module)), None)
    if inner is None or _main_input(inner) == "pixel_values":
        return None
    return inner if "attention_mask" in inspect.signature(type(inner).forward).parameters else None


def _main_input(model: nn.Module) -> str:
    return str(getattr(model, "main_input_name", "input_ids"))


def batch_size(example: Any) -> int | None:
    """The number of samples in an example: the size of axis 0 of its first tensor."""
    from zoo.conversion.layout import tensors

    first = next(tensors(example), None)
    return None if first is None or first.ndim == 0 else first.shape[0]


def _noise(model: nn.Module, shape: tuple[int, ...]) -> Tensor:
    images = torch.randn((_BATCH, *shape), generator=torch.Generator().manual_seed(0))
    own = next((p for p in model.parameters() if p.is_floating_point()), images)
    return images.to(own.device, own.dtype)


def _placed(model: nn.Module, value: Tensor) -> Tensor:
    return value.to(next((p.device for p in model.parameters()), value.device))

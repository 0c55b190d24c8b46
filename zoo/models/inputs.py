"""Checks of the images a model takes, with clear messages before torch complains without them.

The forward pass itself checks nothing, so that it stays exportable; those who feed images call `check_input`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from timm.layers import PatchEmbed, resample_abs_pos_embed, resize_rel_pos_bias_table_simple
from timm.models.swin_transformer import WindowAttention
from torch import Tensor, nn

from zoo.errors import ShapeError
from zoo.models.model_spec import ModelSpec


def as_size(img_size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) from a side or a pair.

    Raises:
        ShapeError: anything else, or a size that is not positive.
    """
    pair = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ShapeError(f"img_size={img_size!r} is no image size. Give a positive side or (height, width).")
    return pair


def check_geometry(spec: ModelSpec, in_chans: int, size: tuple[int, int] | None, *, padded: bool) -> None:
    """Check that a model can be built for images of this kind.

    Args:
        spec: the model.
        in_chans: channels.
        size: height and width, or None for the model's own.
        padded: whether the model pads images to whole patches by itself.

    Raises:
        ShapeError: it cannot.
    """
    if not isinstance(in_chans, int) or in_chans < 1:
        raise ShapeError(f"{spec.name}: in_chans={in_chans!r} must be an integer of 1 or more.")
    patch = spec.patch_size
    if patch and size and not padded and any(side % patch for side in size):
        near = tuple(max(patch, round(side / patch) * patch) for side in size)
        raise ShapeError(f"{spec.name}: an image of {size} does not divide into {patch}x{patch} patches. Use {near}.")


def check_input(model: nn.Module, shape: Sequence[int]) -> None:
    """Check that a batch of this shape fits a model.

    What cannot be known is not checked: a module without convolutions is only asked for four dimensions.

    Args:
        model: a model of the zoo or of timm, a feature extractor made of one, or any other module.
        shape: batch, channels, height, width.

    Raises:
        ShapeError: it does not fit; the message names what the model takes.
    """
    name = type(model).__name__
    if len(shape) != 4:
        raise ShapeError(f"{name} takes a batch (images, channels, height, width); got shape {tuple(shape)}.")
    if any(side < 1 for side in shape[1:]):
        raise ShapeError(f"{name} cannot take an empty image; got shape {tuple(shape)}.")
    cfg = getattr(model, "pretrained_cfg", None) or {}
    inner = getattr(model, "model", None)
    inner = inner if isinstance(inner, nn.Module) else model
    channels = _channels(inner, cfg)
    if channels is not None and shape[1] != channels:
        raise ShapeError(f"{name} takes images of {channels} channel(s); got {shape[1]} in shape {tuple(shape)}.")
    _check_patches(name, getattr(inner, "patch_embed", None), (shape[2], shape[3]))


def _check_patches(name: str, embed: Any, size: tuple[int, int]) -> None:
    """Check an image size against timm's patch embedding, where a model has one that was laid out for a size."""
    if not isinstance(embed, PatchEmbed) or embed.img_size is None:
        return
    wanted, patch = tuple(embed.img_size), tuple(embed.patch_size)
    if embed.strict_img_size and size != wanted:
        raise ShapeError(
            f"{name} takes images of {wanted[0]}x{wanted[1]}; got {size[0]}x{size[1]}. "
            f"Resize them, or build the model with img_size={size}."
        )
    if not embed.dynamic_img_pad and any(side % p for side, p in zip(size, patch, strict=True)):
        raise ShapeError(f"{name}: an image of {size[0]}x{size[1]} does not divide into {patch[0]}x{patch[1]} patches.")


def fit_positions(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Resample the learned positions of a transformer's weights to the grid of a model for another image size.

    Prefix tokens keep their positions; the grid is resized by timm (bicubic, antialiased). So are the relative
    positions inside the windows of a Swin Transformer, where a small image makes the windows smaller. Weights without
    positions, of the same size, of another width or of no square grid come back as they are, for the loader to judge.

    Args:
        state: name to tensor.
        model: the model that will receive them.

    Returns:
        A new dictionary with the same other tensors.
    """
    return {**state, **_fit_grid(state, model), **_fit_windows(state, model)}


def _fit_grid(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    table, own = state.get("pos_embed"), getattr(model, "pos_embed", None)
    if table is None or own is None or table.shape == own.shape or table.shape[-1] != own.shape[-1]:
        return {}
    prefix = 0 if model.no_embed_class else int(model.num_prefix_tokens)  # type: ignore[arg-type]
    cells = table.shape[1] - prefix
    if cells != math.isqrt(cells) ** 2:
        return {}
    grid = list(model.patch_embed.grid_size)  # type: ignore[arg-type, union-attr]
    return {"pos_embed": resample_abs_pos_embed(table, new_size=grid, num_prefix_tokens=prefix)}


def _fit_windows(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    fitted = {}
    for path, module in model.named_modules():
        name = f"{path}.relative_position_bias_table"
        if not isinstance(module, WindowAttention) or name not in state:
            continue
        table, own = state[name], module.relative_position_bias_table
        if table.shape != own.shape and table.shape[1] == own.shape[1]:
            fitted[name] = resize_rel_pos_bias_table_simple(table, module.window_size, own.shape)
    return fitted


def _channels(model: nn.Module, cfg: Any) -> int | None:
    """Input channels of the convolution that `pretrained_cfg` names as the first, else of the first one there is."""
    first = cfg.get("first_conv") if isinstance(cfg, Mapping) else getattr(cfg, "first_conv", None)
    if not isinstance(first, str):
        return next((layer.in_channels for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    try:
        layer = model.get_submodule(first)
    except AttributeError:
        return None
    return getattr(layer, "in_channels", None)

"""Image preprocessing: one object for evaluation, calibration, the model card and ONNX metadata."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zoo.devices import torch_defaults
from zoo.errors import ConfigurationError, ShapeError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
CROP_MODES = ("center", "squash", "border")
# The mode PIL converts an image to, by the number of channels the model takes.
_PIL_MODES = {1: "L", 3: "RGB"}
_LARGEST = 100_000_000
"""Pixels of an image once it is resized, before it is cut."""
_MOST = 2**24
"""Numbers that one image becomes; three channels of 2,048 x 2,048 pixels are fewer."""
_SMALLEST_STD, _LARGEST_MEAN = 1e-6, 1e6


@dataclass(frozen=True)
class Preprocess:
    """Resize, crop, scale to [0, 1] and normalise one image: out[c] = (pixel[c] / 255 - mean[c]) / std[c].

    The shorter side is resized to floor(size / crop_pct), then the centre is cut out (`crop_mode` "center"). With
    `crop_pct` 1 an image of the input size keeps its pixels. The work is done by timm's evaluation transform, so a
    figure measured here can be compared with timm's. Instances are hashable, comparable and can be pickled.

    Args:
        input_size: channels, height and width of the result.
        interpolation: one of `INTERPOLATIONS`.
        crop_pct: the share of the resized side that the crop keeps, in (0, 1].
        crop_mode: "center" (keep the aspect ratio, cut), "squash" (ignore it) or "border" (pad).
        mean: per channel, on the scale [0, 1].
        std: per channel, on the same scale, above zero.

    Raises:
        ConfigurationError: a value is out of range, or `mean` and `std` do not have one entry per channel.
    """

    input_size: tuple[int, int, int]
    interpolation: str
    crop_pct: float
    crop_mode: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("input_size", "mean", "std"):
            value = getattr(self, name)
            if not isinstance(value, tuple | list):
                raise ConfigurationError(f"Preprocessing: {name} is {value!r}; give a list of numbers.")
            object.__setattr__(self, name, tuple(value))
        problems = _problems(self)
        if problems:
            raise ConfigurationError(f"Preprocessing: {' '.join(problems)}")

    @classmethod
    def of(cls, model: "nn.Module") -> "Preprocess":
        """The preprocessing a model was made for.

        Args:
            model: a model with a `pretrained_cfg` as timm and this zoo attach it.

        Raises:
            ConfigurationError: there is none, it lacks a field, or its values do not fit each other.
        """
        cfg = config_of(model)
        if not cfg:
            raise ConfigurationError(
                f"Asked for the preprocessing of {type(model).__name__}, which has no pretrained_cfg. "
                "Pass a Preprocess, or set model.pretrained_cfg to a dictionary with "
                f"{', '.join(f.name for f in fields(cls))}."
            )
        return cls.from_dict({f.name: cfg[f.name] for f in fields(cls) if cfg.get(f.name) is not None})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """The inverse of `to_dict`.

        Raises:
            ConfigurationError: a field is missing, unknown or has a bad value.
        """
        known = {f.name for f in fields(cls)}
        missing, unknown = sorted(known - set(values)), sorted(set(values) - known)
        if missing or unknown:
            raise ConfigurationError(
                f"Preprocessing: missing fields {missing}, unknown fields {unknown}; it needs exactly {sorted(known)}."
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields, with lists for tuples: ready for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def for_size(self, size: int, crop_pct: float | None = None) -> "Preprocess":
        """The same preprocessing for square images of another size.

        Args:
            size: height and width in pixels, such as 288.
            crop_pct: the new crop share; None keeps this one.

        Raises:
            ConfigurationError: `size` or `crop_pct` is out of range.
        """
        values = self.to_dict() | {"input_size": [self.input_size[0], size, size]}
        return self.from_dict(values if crop_pct is None else values | {"crop_pct": crop_pct})

    @torch_defaults("cpu")
    def __call__(self, image: "Image") -> "Tensor":
        """Turn one PIL image of any mode and size into a float32 tensor (C, H, W).

        Raises:
            ShapeError: the model takes neither one channel (greyscale) nor three (RGB), or the image is not 8-bit.
        """
        channels = self.input_size[0]
        if channels not in _PIL_MODES:
            raise ShapeError(
                f"The model takes {channels} channels, an image file gives 1 or 3. Prepare the tensors of shape "
                f"{self.input_size} yourself and call the model on them."
            )
        longer, shorter = max(image.size), max(1, min(image.size))
        if (
            self.crop_mode == "center"
            and math.prod(self.input_size[1:]) / self.crop_pct**2 * longer / shorter > _LARGEST
        ):
            raise ShapeError(
                f"The image is {image.size[0]}x{image.size[1]} px: so narrow that resizing it fills memory."
            )
        return _transform(self)(convert_image(image, _PIL_MODES[channels]))


def config_of(model: "nn.Module") -> dict[str, Any]:
    """A model's `pretrained_cfg`, timm's own class or a dictionary, as a dictionary; empty if it has none."""
    cfg: Any = getattr(model, "pretrained_cfg", None) or {}
    return asdict(cfg) if is_dataclass(cfg) and not isinstance(cfg, type) else dict(cfg)


def resized(cfg: Mapping[str, Any], own: Preprocess, size: int, name: str) -> Preprocess:
    """A model's preprocessing at another size; its published test size comes with its own crop share.

    Args:
        cfg: what the model says about itself, see `config_of`.
        own: its preprocessing at its own size.
        size: height and width in pixels, such as 288.
        name: what to call the model in messages.

    Raises:
        ShapeError: the model takes images of its own size only.
        ConfigurationError: `size` is out of range.
    """
    if size == own.input_size[1] == own.input_size[2]:
        return own
    if cfg.get("fixed_input_size"):
        raise ShapeError(f"Asked for {size} px; {name} takes {own.input_size[1:]} only. Leave --img-size out.")
    at_test_size = tuple(cfg.get("test_input_size") or ())[1:] == (size, size)
    return own.for_size(size, cfg.get("test_crop_pct") if at_test_size else None)


def convert_image(image: "Image", mode: str = "RGB") -> "Image":
    """The image in another PIL mode: palettes looked up, transparency dropped, greyscale repeated.

    Args:
        image: any image of 1, 8 or 16 bits; of 16 bits the full range 0..65,535 becomes 0..255.
        mode: "RGB" or "L".

    Raises:
        ShapeError: the pixels are 32-bit or float, whose range nobody knows and PIL would cut off at 255.
    """
    if image.mode == mode:
        return image
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    if image.mode.startswith(("I", "F")):
        raise ShapeError(
            f"The image has PIL mode {image.mode!r}, {mode} needs 8 or 16 bits a channel: rescale it to 0..255."
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _eight_bits(image: "Image") -> "Image":
    """16-bit greyscale in 8 bits: round(v / 257), so that 65,535 is 255."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _problems(given: Preprocess) -> list[str]:
    """List in words what is wrong with the values; empty if nothing is."""
    size, found = given.input_size, []
    if len(size) != 3 or not all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in size):
        return [f"input_size is {size}; give three positive whole numbers: channels, height, width."]
    if math.prod(size) > _MOST:
        return [f"input_size is {size}; channels, height and width multiplied may give {_MOST:,} at most."]
    if given.interpolation not in INTERPOLATIONS:
        found.append(f"interpolation is {given.interpolation!r}; choose one of {', '.join(INTERPOLATIONS)}.")
    if given.crop_mode not in CROP_MODES:
        found.append(f"crop_mode is {given.crop_mode!r}; choose one of {', '.join(CROP_MODES)}.")
    if not _is_number(given.crop_pct) or not 0 < given.crop_pct <= 1:
        found.append(f"crop_pct is {given.crop_pct!r}; give a number above 0, at most 1.")
    elif given.crop_pct < math.sqrt(math.prod(size[1:]) / _LARGEST):
        found.append(f"crop_pct is {given.crop_pct!r}: images resized so that it leaves {size[1:]} px fill memory.")
    for name, values in (("mean", given.mean), ("std", given.std)):
        if len(values) != size[0] or not all(_is_number(v) for v in values):
            found.append(f"{name} is {_short(values)}; give one finite number for each of the {size[0]} channels.")
        elif name == "std" and min(values) < _SMALLEST_STD:
            found.append(f"std is {_short(values)}; every entry must be above zero, {_SMALLEST_STD} at least.")
        elif max(map(abs, values)) > _LARGEST_MEAN:
            found.append(f"{name} is {_short(values)}; pixels are from 0 to 1, so {_LARGEST_MEAN:g} is the most.")
    return found


def _short(values: tuple[Any, ...]) -> str:
    text = repr(values)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@lru_cache(maxsize=64)
def _transform(given: Preprocess) -> "Callable[[Image], Tensor]":
    """timm's evaluation transform; kept outside the dataclass so that instances stay frozen and picklable."""
    from timm.data import create_transform

    transform: Callable[[Image], Tensor] = create_transform(
        input_size=given.input_size,
        is_training=False,
        interpolation=given.interpolation,
        mean=given.mean,
        std=given.std,
        crop_pct=given.crop_pct,
        crop_mode=given.crop_mode,
    )
    return transform

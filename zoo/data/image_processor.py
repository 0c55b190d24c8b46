"""The preprocessor_config.json of transformers as a `Preprocess`."""

from collections.abc import Mapping
from typing import Any

from zoo.data.preprocess import Preprocess
from zoo.errors import ConfigurationError

PROCESSOR_FILE = "preprocessor_config.json"
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's numbers."""
_STEPS = ("do_resize", "do_rescale", "do_normalize")
_BYTE = 1 / 255
# A processor whose shortest edge is this long or longer squashes the image and cuts nothing (ConvNextImageProcessor).
_SQUASHED = 384


def preprocess_of_processor(values: Mapping[str, Any], channels: int = 3) -> Preprocess:
    """The same pixels as an image processor of transformers gives: resized, cut, divided by 255 and normalised.

    Args:
        values: the processor's JSON.
        channels: what the network takes.

    Raises:
        ConfigurationError: it does something else, or does not say what it does.
    """
    wrong = [f"{name} is false" for name in _STEPS if values.get(name, True) is not True]
    if abs(_number(values, "rescale_factor", _BYTE) - _BYTE) > 1e-6:
        wrong.append(f"rescale_factor is {values['rescale_factor']!r}, not 1/255")
    if wrong:
        raise ConfigurationError(
            f"{PROCESSOR_FILE}: {', '.join(wrong)}; only resizing, 1/255 and mean and std are known."
        )
    size, crop_pct, mode = _geometry(values)
    resample = values.get("resample", 2)
    if resample not in _RESAMPLE:
        raise ConfigurationError(f"{PROCESSOR_FILE}: resample is {resample!r}; Pillow's are 0 to 5.")
    mean, std = (values.get(name) for name in ("image_mean", "image_std"))
    return Preprocess((channels, *size), _RESAMPLE[resample], crop_pct, mode, mean, std)  # type: ignore[arg-type]


def _geometry(values: Mapping[str, Any]) -> tuple[tuple[int, int], float, str]:
    """Height and width, the share the crop keeps, and how it is cut."""
    size = values.get("size")
    size = {"height": size, "width": size} if isinstance(size, int) else size
    cut = values.get("crop_size") if values.get("do_center_crop") else None
    cut = {"height": cut, "width": cut} if isinstance(cut, int) else cut
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        if {"height", "width"} <= size.keys() and cut is None:
            return (size["height"], size["width"]), 1.0, "squash"
        if edge is not None and isinstance(cut, dict) and cut.get("height") == cut.get("width"):
            return (cut["height"], cut["width"]), cut["height"] / edge, "center"
        if edge is not None and cut is None and "crop_pct" in values:
            share = _number(values, "crop_pct", 1.0)
            return (edge, edge), *((1.0, "squash") if edge >= _SQUASHED else (share, "center"))
    raise ConfigurationError(
        f"{PROCESSOR_FILE}: size {values.get('size')!r} with crop_size {values.get('crop_size')!r} is none of height "
        "and width, shortest_edge with a square crop_size, and shortest_edge with crop_pct. Use the network in Python, "
        "with a Preprocess of your own."
    )


def _number(values: Mapping[str, Any], name: str, default: float) -> float:
    found = values.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ConfigurationError(f"{PROCESSOR_FILE}: {name} is {found!r}, not a number.")
    return float(found)

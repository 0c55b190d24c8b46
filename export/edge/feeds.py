"""Inputs compared with what a file takes, before an engine computes something else or says so in its own words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_PREFIX, _NAMES = "tensor(", {"float": "float32", "double": "float64"}
_IMAGE, _CHANNELS_FIRST = 4, (0, 3, 1, 2)


def misfit(inputs: Sequence[Any], feeds: Mapping[str, Any]) -> str | None:
    """Explain in a message what the file takes and what it got; None where that fits.

    Args:
        inputs: of the file, each with `name`, `type` and `shape` as ONNX Runtime gives them: a free axis has a name,
            the same one where two inputs must agree, or None.
        feeds: an array for each by its name; what has no `dtype` is left to the engine.
    """
    if not all(given.name in feeds for given in inputs):
        return _message(inputs, feeds, "Name the inputs so.")
    sizes: dict[str, int] = {}
    for given in inputs:
        value = feeds[given.name]
        advice = _advice(given, value, sizes) if hasattr(value, "dtype") else None
        if advice is not None:
            return _message(inputs, feeds, advice)
    return None


def _advice(given: Any, value: Any, sizes: dict[str, int]) -> str | None:
    """Advise what to do about one input; None where it fits, and then its free axes are kept in `sizes`."""
    shape, kind = tuple(value.shape), _kind(given)
    if not isinstance(value, np.ndarray | np.generic):
        return f"Give {given.name} as an array of numpy."
    if not _fits(given.shape, shape):
        if len(shape) == len(given.shape) == _IMAGE and _fits(given.shape, [shape[i] for i in _CHANNELS_FIRST]):
            return f"The channels of {given.name} lie last: use {given.name}.transpose{_CHANNELS_FIRST}."
        return "Use the preprocessing that belongs to the file, or export the model for inputs of this shape."
    if 0 in shape:
        return f"{given.name} is empty: give at least one."
    if kind == "float32" and value.dtype.kind in "iub":
        return f"Scale and normalise {given.name} as the preprocessing of the file does; it takes no raw pixels."
    if value.dtype != kind and hasattr(np, kind):
        return f'Convert it: {given.name}.astype("{kind}").'
    for axis, size in zip(given.shape, shape, strict=True):
        if isinstance(axis, str) and sizes.setdefault(axis, size) != size:
            return f"All inputs need the same {axis}."
    return None


def _fits(wanted: Sequence[Any], shape: Sequence[int]) -> bool:
    return len(wanted) == len(shape) and all(
        not isinstance(axis, int) or axis == size for axis, size in zip(wanted, shape, strict=True)
    )


def _kind(given: Any) -> str:
    """The name numpy has for an input's type."""
    name = str(given.type).removeprefix(_PREFIX).rstrip(")")
    return _NAMES.get(name, name)


def _message(inputs: Sequence[Any], feeds: Mapping[str, Any], advice: str) -> str:
    wanted = ", ".join(
        f"{given.name}: {_kind(given)} {_shape(given.shape)}{' in NCHW order' if len(given.shape) == _IMAGE else ''}"
        for given in inputs
    )
    found = ", ".join(
        f"{name}: {value.dtype} {_shape(value.shape)}" if hasattr(value, "dtype") else f"{name}: {type(value).__name__}"
        for name, value in feeds.items()
    )
    return f"The file takes {wanted}; got {found or 'nothing'}. {advice}"


def _shape(shape: Sequence[Any]) -> str:
    return f"({', '.join('any' if axis is None else str(axis) for axis in shape)})"

"""What DyT and Derf share: checks of their arguments and the per-channel affine."""

import math

from torch import Tensor

from zoo.activations._lean import wide_dtype
from zoo.errors import ConfigurationError, ShapeError


def channels(kind: str, num_features: object) -> int:
    """The number of channels, from an integer or a shape of one integer.

    Raises:
        ConfigurationError: it is neither, or not positive.
    """
    only = num_features[0] if isinstance(num_features, tuple | list) and len(num_features) == 1 else num_features
    if not isinstance(only, int) or only <= 0:
        raise ConfigurationError(f"{kind}({num_features!r}): give the number of channels, one positive integer.")
    return only


def require_finite(kind: str, name: str, value: float) -> float:
    """Return `value` as a float.

    Raises:
        ConfigurationError: it is not a finite number.
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{kind}({name}={value!r}): {name} must be a finite number.")
    return float(value)


def per_channel(x: Tensor, weight: Tensor, bias: Tensor, channel_axis: int) -> tuple[Tensor, Tensor]:
    """Shape `weight` and `bias`, both (c,), to broadcast along `channel_axis` of x, in the dtype of the computation.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.
    """
    count = weight.shape[0]
    if not -x.ndim <= channel_axis < x.ndim or x.shape[channel_axis] != count:
        raise ShapeError(
            f"The input has shape {tuple(x.shape)}; axis {channel_axis} must hold {count} channels. "
            "Choose channel_axis=1 for (n, c, h, w) maps and -1 for tokens."
        )
    shape = [1] * x.ndim
    shape[channel_axis] = count
    dtype = wide_dtype(x)
    return weight.to(dtype).view(shape), bias.to(dtype).view(shape)

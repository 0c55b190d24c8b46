"""Common parts of modules with one value for each channel: checks of arguments, and values shaped to broadcast."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined]

from zoo.activations.spec import ParameterSpec
from zoo.errors import ConfigurationError, ShapeError
from zoo.numerics.precision import wide_dtype


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


def require_count(kind: str, name: str, value: int) -> int:
    """Return `value`.

    Raises:
        ConfigurationError: it is not a positive integer.
    """
    if not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{kind}({name}={value!r}): {name} must be a positive integer.")
    return value


def per_channel(x: Tensor, channel_axis: int, *values: Tensor) -> tuple[Tensor, ...]:
    """Shape values for each channel, (c,), or each sample and channel, (n, c), to broadcast along `channel_axis` of x.

    Returns:
        One tensor for each of `values`, in the dtype of the computation.

    Raises:
        ShapeError: x has no such axis, or it does not hold c channels.
    """
    return tuple(along_channels(x, channel_axis, value) for value in values)


def along_channels(x: Tensor, channel_axis: int, value: Tensor) -> Tensor:
    """One of the values of `per_channel`."""
    count = value.shape[-1]
    if not is_scripting() and (not -x.ndim <= channel_axis < x.ndim or x.shape[channel_axis] != count):
        raise ShapeError(
            f"The input has shape {tuple(x.shape)}; axis {channel_axis} must hold {count} channels. "
            "Choose channel_axis=1 for (n, c, h, w) maps and -1 for tokens."
        )
    shape = [1] * x.ndim
    shape[channel_axis] = count
    if value.ndim == 2:
        shape[0] = value.shape[0]
    return value.to(wide_dtype(x)).view(shape)


class ChannelGate(nn.Module):
    """The base of the gates with parameters for each channel; a subclass adds the parameters and `forward`.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens (n, ..., c), 1 for (n, c, h, w) maps.

    Raises:
        ConfigurationError: `num_features` is not one positive integer.
    """

    def __init__(self, num_features: int | tuple[int], channel_axis: int = -1) -> None:
        super().__init__()
        self.num_features = channels(type(self).__name__, num_features)
        self.channel_axis = channel_axis

    def extra_repr(self) -> str:
        """The number of channels and their axis."""
        return f"{self.num_features}, channel_axis={self.channel_axis}"


class ChannelVectors(ChannelGate):
    """A `ChannelGate` whose parameters are one (c,) vector for each name in `initial`; a subclass adds `forward`.

    Args:
        num_features: the number of channels, as an integer or a shape of one number.
        channel_axis: -1 for tokens, 1 for (n, c, h, w) maps.
        inplace: accepted because timm passes it to activations; not used.
        device: where the parameters live.
        dtype: in which precision they are stored.

    Raises:
        ConfigurationError: `num_features` is not one positive integer.
    """

    initial: ClassVar[dict[str, float | None]]
    """The start of each parameter; None draws it from the standard normal distribution."""

    def __init__(
        self,
        num_features: int | tuple[int],
        channel_axis: int = -1,
        *,
        inplace: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, channel_axis)
        for name in self.initial:
            self.register_parameter(name, nn.Parameter(torch.empty(self.num_features, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every parameter to its start, or draw it anew."""
        for name, value in self.initial.items():
            parameter = self.get_parameter(name)
            nn.init.normal_(parameter) if value is None else nn.init.constant_(parameter, value)

    @classmethod
    def specs(cls) -> tuple[ParameterSpec, ...]:
        """Return the registry's specs of the parameters."""
        return tuple(ParameterSpec(name, value, shape="channel") for name, value in cls.initial.items())

"""Dispatch of fused operators: Triton on CUDA, compiled C++ on the CPU. Each is loaded at its first call."""

import importlib
import os
from collections.abc import Sequence
from types import ModuleType

from torch import Tensor

from zoo.errors import ConfigurationError


def forward(name: str, inputs: Sequence[Tensor]) -> Tensor:
    """The operator `name`.

    Raises:
        ConfigurationError: the tensors are on a device without kernels, or Triton is not installed.
        NativeError: the kernels for the CPU cannot be compiled.
    """
    if not on_triton(inputs[0]):
        from zoo.kernels import cpu

        return cpu.forward(name, inputs)
    if name == "fles":
        return load_triton("gate").forward(inputs)  # type: ignore[no-any-return]
    return load_triton("pointwise").forward(name, inputs)  # type: ignore[no-any-return]


def backward(name: str, grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients by the inputs that need one, None for the others.

    Raises:
        ConfigurationError: as `forward`.
        NativeError: as `forward`.
    """
    if not on_triton(inputs[0]):
        from zoo.kernels import cpu

        return cpu.backward(name, grad, inputs, needs)
    if name == "fles":
        return load_triton("gate").backward(grad, inputs, needs)  # type: ignore[no-any-return]
    return load_triton("pointwise").backward(name, grad, inputs, needs)  # type: ignore[no-any-return]


def on_triton(x: Tensor) -> bool:
    """True if Triton computes it: on CUDA, and on the CPU inside its interpreter.

    Raises:
        ConfigurationError: x is on another device.
    """
    if x.device.type == "cuda" or (x.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"):
        return True
    if x.device.type != "cpu":
        raise ConfigurationError(
            f'A fused kernel was asked for on {x.device}; there are some for CUDA and CPU. Use kernel="plain" there.'
        )
    return False


def load_triton(launches: str) -> ModuleType:
    """The module that launches "pointwise", "gate" or "mean", written in Triton.

    Raises:
        ConfigurationError: Triton is not installed.
    """
    try:
        return importlib.import_module(f"zoo.kernels.triton.launch_{launches}")
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise ConfigurationError(
            'The fused kernels for CUDA are written in Triton, which is not installed. Install the package "triton", '
            'or use kernel="plain".'
        ) from error

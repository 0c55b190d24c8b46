"""Choice of a fused kernel: it must fit the inputs, and be known to be faster than the definition."""

import functools
import subprocess
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from zoo.errors import ConfigurationError
from zoo.kernels.strides import varying
from zoo.numerics.operators import OPERATORS, FusedOperator

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
WORTH_ON_CPU = 2**16
"""Elements from which on the CPU's kernels are used [ours]: they are faster from a few hundred on, but who computes
with small tensors only need not wait for the compiler."""


class KernelWarning(UserWarning):
    """The fused kernels of this device cannot be had; the definitions are evaluated instead. Said once per process."""


def find(name: str, inputs: Sequence[Tensor], *, required: bool) -> Callable[..., Tensor] | None:
    """The fused operator for these inputs, or None.

    Args:
        name: of the operator.
        inputs: x and its coefficients.
        required: whether anything but a fused operator is an error.

    Raises:
        ConfigurationError: it is required and does not fit.
    """
    if not required and not _worth(name, inputs):
        return None
    reason = _misfit(name, inputs) or unavailable(inputs[0].device.type, not required)
    if reason is None:
        from zoo.kernels.custom_ops import operator

        return operator(name)
    if required:
        raise ConfigurationError(f'{name}(kernel="fused"): no fused kernel fits, {reason}. Use kernel="auto".')
    return None


def _worth(name: str, inputs: Sequence[Tensor]) -> bool:
    """True if a kernel, if it fits, is to be preferred to the definition."""
    x = inputs[0]
    compiling = torch.compiler.is_compiling()
    # While torch.compile records no size is asked for: each layer's answer would be a guard and a graph of its own.
    if x.device.type == "cpu" and not compiling and x.numel() < WORTH_ON_CPU:
        return False
    if x.device.type == "cuda" and compiling:
        return False  # Inductor's own kernels: ours have not been measured against them on a GPU
    # A fresh FleS is torch's SiLU to the last bit, which conversion promises; only training gives that up for speed.
    return name != "fles" or (torch.is_grad_enabled() and any(value.requires_grad for value in inputs))


def _misfit(name: str, inputs: Sequence[Tensor]) -> str | None:
    """Return the reason why the kernels do not compute this call, as the end of a sentence; None where they do."""
    if _transformed():
        return "torch.func or forward-mode differentiation is at work"
    if torch.compiler.is_compiling():
        return _misfit_of_tensors(name, inputs)
    if any(type(value) not in (Tensor, torch.nn.Parameter) for value in inputs):
        return "a tensor is of a subclass"
    if is_in_torch_dispatch_mode():
        return "a dispatch mode watches the operators"
    return _misfit_of_tensors(name, inputs)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _transformed() -> bool:
    """True if torch.func or forward mode is at work; torch.compile asks while it records, and has guards of its own."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _misfit_of_tensors(name: str, inputs: Sequence[Tensor]) -> str | None:
    x = inputs[0]
    if x.dtype not in DTYPES:
        return f"x is {x.dtype} and they take float32, float16 and bfloat16"
    if x.device.type not in ("cpu", "cuda") or any(value.device != x.device for value in inputs):
        return f"the tensors are on {', '.join(sorted({str(value.device) for value in inputs}))}"
    operator = OPERATORS.get(name)
    if operator is not None and operator.scalars:
        return _misfit_of_scalars(operator, inputs)
    if name == "fles" and varying(x, inputs[1:]) is None:
        return "the coefficients vary along more than two axes of x"
    return None


def _misfit_of_scalars(operator: FusedOperator, inputs: Sequence[Tensor]) -> str | None:
    x = inputs[0]
    if any(inputs[i].numel() != 1 for i in operator.scalars):
        return "a coefficient is no scalar"
    if any(inputs[i].shape != x.shape or inputs[i].dtype != x.dtype for i in operator.of_shape):
        return "the shortcut has another shape or dtype than x"
    return None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def unavailable(device: str, warn: bool) -> str | None:
    """Return the reason why a kind of device, "cpu" or "cuda", has no kernels; None where it has.

    The first call compiles one: with half a compiler, or where nothing can be written, only that shows it.

    Args:
        device: its type.
        warn: whether to say once what keeps the kernels from being used.
    """
    reason = _cpu() if device == "cpu" else _triton(device)
    if reason is not None and warn:
        _warn_once(reason)
    return reason


@functools.cache
def _triton(device: str) -> str | None:
    from zoo.kernels.backend import load_triton

    try:
        launch = load_triton("pointwise").forward
        one = torch.ones((), device=device)
        launch("salu", (one, one, one))
    except (ConfigurationError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return f"Triton does not run here, {type(error).__name__}: {str(error).rstrip('.')}"
    return None


@functools.cache
def _cpu() -> str | None:
    from zoo.kernels.cpu.compiled import available

    return available()


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"The fused kernels are not used: {reason}. The definitions are evaluated instead, which is slower and "
        'gives the same. zoo.activations.kernel("plain") silences this.',
        KernelWarning,
        stacklevel=2,
    )

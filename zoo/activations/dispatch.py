"""Activation dispatch: the plain definition, or a fused kernel that reads and writes the activation once.

The kernels live in `zoo.kernels`, which says whether one fits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor

from zoo.errors import ConfigurationError
from zoo.kernels.selection import find

Kernel = Literal["auto", "plain", "fused"]
"""auto: fused where that is known to be faster; plain: always the definition; fused: a kernel, or an error."""

# A global of the module and no context variable: torch.compile guards on the one and not on the other.
_current: Kernel = "auto"


@contextmanager
def kernel(which: Kernel) -> Iterator[None]:
    """Choose the implementation of every activation called inside the `with` block, in all threads of the process.

    Args:
        which: "auto", "plain" or "fused"; a call's own `kernel` argument goes before it.

    Raises:
        ConfigurationError: `which` is another word.

    >>> import torch
    >>> with kernel("plain"):
    ...     y = torch.nn.functional.relu(torch.zeros(1))
    """
    global _current
    before, _current = _current, _checked(which)
    try:
        yield
    finally:
        _current = before


def current() -> Kernel:
    """Return the choice of the innermost `with kernel(...)` block; "auto" outside of all."""
    return _current


def recorded() -> bool:
    """True while torch.compile, torch.export or torch.jit.trace records the operators that are called."""
    return torch.compiler.is_compiling() or exported()


def exported() -> bool:
    """True while torch.export or torch.jit.trace records operators for others to read: standard ones are wanted."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-any-return]


def fused(name: str, inputs: Sequence[Tensor], which: Kernel | None) -> Callable[..., Tensor] | None:
    """The fused kernel for this call, or None where the definition is to be evaluated.

    Args:
        name: of the operator.
        inputs: x and its coefficients.
        which: the call's own choice; None takes that of the `with` block.

    Raises:
        ConfigurationError: "fused" is wanted and no kernel fits these inputs; or `which` is no choice.
    """
    choice = current() if which is None else _checked(which)
    if choice == "plain" or exported():
        return None
    return find(name, inputs, required=choice == "fused")


def _checked(which: Kernel) -> Kernel:
    if which not in get_args(Kernel):
        raise ConfigurationError(f"kernel={which!r} is no implementation: use one of {', '.join(get_args(Kernel))}.")
    return which

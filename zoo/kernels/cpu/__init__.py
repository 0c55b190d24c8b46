"""The kernels for the CPU: C++ with vectors of AVX-512, AVX2 or NEON, brought by the wheel or compiled on first use.

    y = forward("swalu", (x, a, b))
    dx, da, db = backward("swalu", grad, (x, a, b), (True, True, True))

One pass over the tensors each way, in float32 for float32, bfloat16 and float16. A tensor that lies densely in memory
is taken as it lies, with any order of axes, and the result has the strides of `torch.empty_like(x)`; other operands are
brought to the order of x if they differ, and what has gaps is copied first. Gradients of parameters are sums over
pieces of fixed size, added up in order in double: they do not depend on the number of threads. The threads are those of
torch, from the OpenMP runtime it is linked with; without one, as in some builds for macOS, there is one thread.

The values are those of the definitions in `zoo.activations`, up to a few roundings in float32. FleS differs in two
corners: it does not overflow where only horizontal·x does, and its sigmoid is 0 where it would be below 2⁻¹²⁷.
"""

from collections.abc import Sequence

from torch import Tensor

from zoo.kernels.cpu import channelwise, pointwise
from zoo.kernels.cpu.channelwise import mean, mean_backward
from zoo.kernels.cpu.compiled import available

__all__ = ["available", "backward", "forward", "mean", "mean_backward"]


def forward(name: str, inputs: Sequence[Tensor]) -> Tensor:
    """The operator `name`, in the dtype of x.

    Args:
        name: "salu", "swalu", "galu", "salu_swalu", "salu_add_swalu", "salu_add_salu_swalu" or "fles".
        inputs: as the function of that name in `zoo.activations` takes them: x in float32, bfloat16 or float16, a
            shortcut of its shape and dtype, parameters of one element; for "fles" what broadcasts to x and varies along
            two axes at most.

    Raises:
        ConfigurationError: x has another dtype.
        ShapeError: a shortcut or a parameter has another shape.
        NativeError: the kernels cannot be compiled; see `available`.
    """
    return channelwise.fles(inputs) if name == "fles" else pointwise.forward(name, inputs)


def backward(name: str, grad: Tensor, inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients of the inputs, each in the shape and dtype of its input.

    Args:
        name: as for `forward`.
        grad: of the result; any strides.
        inputs: those of `forward`.
        needs: which gradients are wanted; the others are None and cost nothing.

    Raises:
        ConfigurationError: as `forward`.
        ShapeError: as `forward`.
        NativeError: as `forward`.
    """
    if name == "fles":
        return channelwise.fles_backward(grad, inputs, needs)
    return pointwise.backward(name, grad, inputs, needs)

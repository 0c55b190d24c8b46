"""The operators whose speed is measured, what each must read and write, and the norm layer each is compared with.

Counted in tensors of x's size; a, b and statistics per channel are too small to count. Nothing is counted that one pass
over the tensors could keep in registers, and nothing twice unless a sum over the whole tensor stands in between:

    SALU, SWALU, GALU, their pair    forward: read x, write y
                                     backward: read x and the gradient, write dx
    SALU, shortcut added, SWALU      forward: read x and the shortcut, write y
                                     backward: read both and the gradient, write both derivatives
    FleS                             forward: read x for the statistics; read x, write y
                                     backward: read x and the gradient for those of the coefficients; read both again,
                                     write dx
    BatchNorm, ReLU                  forward: read x for the statistics; read x, write y
                                     backward: read x and the gradient for two sums; read both again, write dx
    BatchNorm, shortcut, ReLU        forward: read x for the statistics; read x and the shortcut, write y
                                     backward: read x, the shortcut and the gradient, write the shortcut's derivative
                                     and take two sums; read x and that derivative, write dx
    the same with two BatchNorms     forward: read both for the statistics; read both, write y
                                     backward: read both and the gradient for the sums; read all three again, write two
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo import activations
from zoo.activations.fles import FleS
from zoo.activations.salu import SALU
from zoo.activations.swalu import SWALU
from zoo.numerics.operators import OPERATORS as FUSED_OPERATORS
from zoo.numerics.operators import FusedOperator
from zoo.registry import Registry


@dataclass(frozen=True)
class Traffic:
    """Memory traffic, as the number of tensors of x's size that are read or written.

    Args:
        forward: from the input to the output.
        backward: from the output's gradient to those of the inputs.
    """

    forward: int
    backward: int

    def of(self, what: str) -> int:
        """Of "forward", "backward" or "both"."""
        return {"forward": self.forward, "backward": self.backward, "both": self.forward + self.backward}[what]


@dataclass(frozen=True)
class Operator:
    """One operator.

    Args:
        name: as in the tables.
        inputs: tensors of x's size that it takes.
        build: the module for so many channels.
        traffic: of the operator.
        norms: how many BatchNorms stand in its rival, which ends in a ReLU.
        rival_traffic: of that.
    """

    name: str
    inputs: int
    build: Callable[[int], nn.Module]
    traffic: Traffic
    norms: int
    rival_traffic: Traffic

    def build_rival(self, channels: int) -> nn.Module:
        """BatchNorm and ReLU in its place, in training mode."""
        return NormRelu(channels, self.norms)


class Learned(nn.Module):
    """A function of tensors and learned scalars, as the module that owns the scalars.

    Args:
        function: what is computed.
        slots: its arguments in order: the start of a scalar, or None for the next tensor given.
    """

    def __init__(self, function: Callable[..., Tensor], slots: tuple[float | None, ...]) -> None:
        super().__init__()
        self.function, self.slots = function, slots
        self.scalars = nn.ParameterList(nn.Parameter(torch.tensor(s)) for s in slots if s is not None)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The function of these tensors and the scalars, in the order of the slots."""
        given, own = iter(tensors), iter(self.scalars)
        return self.function(*(next(given) if slot is None else next(own) for slot in self.slots))


class NormRelu(nn.Module):
    """ReLU(BatchNorm(x)), ReLU(BatchNorm(x) + skip) or ReLU(BatchNorm(x) + BatchNorm(skip)).

    Args:
        channels: of each tensor.
        norms: how many tensors are normalised, the first ones.
    """

    def __init__(self, channels: int, norms: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(norms))

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """The rival of an operator of one or two tensors; in place where networks do it in place."""
        y = self.norms[0](x)
        if skip is not None:
            y += self.norms[1](skip) if len(self.norms) > 1 else skip
        return nn.functional.relu(y, inplace=True)


OPERATORS: Registry[Operator] = Registry("operator")


def _add(
    name: str, build: Callable[[int], nn.Module], inputs: int, traffic: Traffic, norms: int, rival: Traffic
) -> None:
    OPERATORS.add(name, Operator(name, inputs, build, traffic, norms, rival))


def _learned(operator: FusedOperator) -> Callable[[int], nn.Module]:
    """The operator's function in `zoo.activations`; stabilisers start at SALU's pair and gates at SWALU's."""
    gate = operator.scalars[-2:] if operator.gate != "none" else ()
    starts = {i: (SWALU if i in gate else SALU).start[0] for i in operator.scalars}
    slots = tuple(starts.get(i) for i in range(len(operator.arguments)))
    return lambda channels: Learned(getattr(activations, operator.name), slots)


_STATISTICS = Traffic(3, 5)
_BY_SHORTCUT = {
    "none": (Traffic(2, 3), 1, _STATISTICS),
    "raw": (Traffic(3, 5), 1, Traffic(4, 7)),
    "stabilised": (Traffic(3, 5), 2, Traffic(5, 8)),
}
for _operator in FUSED_OPERATORS.values():
    if _operator.scalars:
        _traffic, _norms, _rival = _BY_SHORTCUT[_operator.shortcut]
        _add(_operator.name, _learned(_operator), len(_operator.of_shape), _traffic, _norms, _rival)
_add("fles", lambda channels: FleS(channels, channel_axis=1), 1, _STATISTICS, 1, _STATISTICS)

"""One operator in one dtype, ready to be timed: its tensors, and all that computes the same or stands in its place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.activations.dispatch import kernel
from zoo.benchmarks.operator_traffic import Operator, Traffic
from zoo.benchmarks.sizes import map_shape
from zoo.benchmarks.turns import Side, Work, always

Pass = Literal["forward", "backward", "both"]
"""both: forward and backward, as one run."""
Layout = Literal["contiguous", "channels_last"]
COPY = Traffic(2, 0)
"""Of a copy: read x, write y."""


@dataclass(frozen=True)
class Case:
    """One operator in one dtype: its tensors, and the modules of its sides."""

    operator: Operator
    tensors: list[Tensor]
    grad: Tensor
    compiled: bool

    def sides(self, step: Pass) -> dict[str, tuple[Side, int]]:
        """Build the sides that take turns, each with the number of tensors it moves."""
        x, channels = self.tensors[0].detach(), self.tensors[0].shape[1]
        copy = torch.empty_like(x)
        found: dict[str, tuple[Side, int]] = {
            "copy": (always(lambda: copy.copy_(x)), COPY.forward),
            "clone": (always(x.clone), COPY.forward),
        }
        own, rival = self.operator.build(channels).to(x.device), self.operator.build_rival(channels).to(x.device)
        moved, rival_moved = self.operator.traffic.of(step), self.operator.rival_traffic.of(step)
        found["fused"] = (self._side(own, own, step, "fused"), moved)
        if self.compiled:
            found["compiled"] = (self._side(own, compile_module(own), step, "plain"), moved)
        found["eager"] = (self._side(own, own, step, "plain"), moved)
        found["batchnorm_relu"] = (self._side(rival, rival, step, "plain"), rival_moved)
        if self.compiled:
            found["batchnorm_relu_compiled"] = (self._side(rival, compile_module(rival), step, "plain"), rival_moved)
        return found

    def _side(
        self, module: nn.Module, call: Callable[..., Tensor], step: Pass, which: Literal["plain", "fused"]
    ) -> Side:
        wanted = [*self.tensors, *module.parameters()]

        def forward() -> Tensor:
            with kernel(which):
                return call(*self.tensors)

        def backward(y: Tensor) -> object:
            return torch.autograd.grad(y, wanted, self.grad)

        def before_backward() -> Work:
            return partial(backward, forward())

        if step == "forward":
            return always(torch.no_grad()(forward))
        return before_backward if step == "backward" else always(lambda: backward(forward()))


def make_case(operator: Operator, count: int, dtype: str, device: torch.device, layout: Layout, compiled: bool) -> Case:
    """The tensors of one case: the same numbers each time, of mean 1/2, so that no sum over them cancels."""
    order = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    generator = torch.Generator(device).manual_seed(0)
    kind, shape = getattr(torch, dtype), map_shape(count)

    def tensor() -> Tensor:
        drawn = torch.randn(shape, generator=generator, dtype=kind, device=device) + 0.5
        return drawn.contiguous(memory_format=order)

    return Case(operator, [tensor().requires_grad_() for _ in range(operator.inputs)], tensor(), compiled)


def compile_module(module: nn.Module) -> Callable[..., Tensor]:
    """The module under torch.compile, for these shapes alone and without a break in its graph."""
    return torch.compile(module, dynamic=False, fullgraph=True)

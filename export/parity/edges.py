"""FleS at its jumps: elements so near zero that rounding decides whether they count as positive.

FleS reads t, the mean of a channel's positive elements. When one of k elements passes zero, t changes at once by 1/k of
itself, and with it, in the fourth digit or so, every logit. Two correct programs may therefore differ wherever an
element is within rounding of zero: in another runtime, or in the same one where a text is padded and sums run in
another order. Such a difference is told from a wrong file by putting PyTorch on the same side: the few elements whose
sign differs, and which are next to zero on both sides, are given the other side's value. What remains must be rounding.
"""

from collections.abc import Callable, Mapping
from typing import Any

import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.digest import unseal
from export.inputs import Feeds
from export.parity.sides import run_torch, widen
from export.passes.name_nodes import module_of
from export.runtime.session import Session, open_session, run_session
from zoo.activations import FleS

Inputs = Mapping[str, Tensor]
"""What entered each site, by its module path."""

JUMPING = ("fles", "adas", "proto")
"""Variants of FleS whose t is a mean over positive elements."""
NEXT_TO_ZERO = 1e-5
"""Share of the root mean square of a site's input: a hundred times what float32 rounds off."""


class Edges:
    """The jumps of one model and its file.

    Args:
        model: as `Source.model`.
        file: the serialised ONNX file.
        threads: of the runtime's session.
        wide: the model in float64, if it runs in it.
        opener: what opens the file, as `open_session` does.
    """

    def __init__(
        self,
        model: nn.Module,
        file: bytes,
        threads: int | None,
        wide: nn.Module | None = None,
        opener: Callable[..., Session] = open_session,
    ) -> None:
        self.model, self.file, self.threads, self._wide, self._opener = model, file, threads, wide, opener
        self.sites = tuple(_sites(model))
        self._opened: tuple[Session, dict[str, list[str]]] | None = None

    def of_torch(self, feeds: Feeds) -> tuple[Inputs, Tensor]:
        """What enters each site in PyTorch, and the logits."""
        found: dict[str, Tensor] = {}
        return found, _run(self.model, feeds, lambda path, x: found.update({path: x.clone()}))

    def of_file(self, feeds: Feeds) -> tuple[Inputs, Tensor]:
        """What enters each site in ONNX Runtime, as far as the graph shows it, and the logits of that run."""
        session, names = self._session()
        wanted = [session.get_outputs()[0].name, *sorted({name for found in names.values() for name in found})]
        results = run_session(session, {name: value.numpy() for name, value in feeds.items()}, wanted)
        values = dict(zip(wanted, map(torch.from_numpy, results), strict=True))
        shapes = {path: x.shape for path, x in self.of_torch(feeds)[0].items()}
        fitting = {
            path: next((values[name] for name in found if values[name].shape == shapes.get(path)), None)
            for path, found in names.items()
        }
        return {path: value for path, value in fitting.items() if value is not None}, values[wanted[0]]

    def aligned(self, feeds: Feeds, other: Inputs) -> tuple[Tensor, int]:
        """PyTorch's logits with every element next to zero on the side where `other` has it, and how many those are.

        Args:
            feeds: the batch.
            other: of the shapes that the sites see in this batch.
        """
        return _moved(self.model, feeds, other)

    def exact(self, feeds: Feeds, other: Inputs) -> Tensor | None:
        """As `aligned`, in float64; None if the model does not run in it."""
        return None if self._wide is None else _moved(self._wide, widen(feeds), other)[0]

    def _session(self) -> tuple[Session, dict[str, list[str]]]:
        """A session that also returns what enters the sites, and the names of those values."""
        if self._opened is None:
            proto = onnx.load_from_string(self.file)
            graph = ir.from_proto(proto).graph
            names = {path: _entering(graph, path) for path in self.sites}
            extra = sorted({name for found in names.values() for name in found})
            unseal(proto)
            proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra)
            self._opened = self._opener(proto.SerializeToString(), threads=self.threads, spin=False), names
        return self._opened


def _sites(model: nn.Module) -> dict[str, nn.Module]:
    fles = {path: module for path, module in model.named_modules() if isinstance(module, FleS)}
    return {path: module for path, module in fles.items() if module.variant in JUMPING}


def _moved(model: nn.Module, feeds: Feeds, other: Inputs) -> tuple[Tensor, int]:
    moved = 0

    def move(path: str, x: Tensor) -> Tensor | None:
        nonlocal moved
        there = other.get(path)
        if there is None or there.shape != x.shape:
            return None
        margin = NEXT_TO_ZERO * x.square().mean().sqrt()
        near = ((x > 0) != (there > 0)) & (x.abs() <= margin) & (there.abs() <= margin)
        moved += int(near.sum())
        return torch.where(near, there.to(x.dtype), x)

    return _run(model, feeds, move), moved


def _run(model: nn.Module, feeds: Feeds, see: Callable[[str, Tensor], Tensor | None]) -> Tensor:
    """A model's logits; every site's input is shown to `see`, and what that returns takes its place."""

    def hook(path: str) -> Callable[[nn.Module, Any], Any]:
        def before(_module: nn.Module, inputs: Any) -> Any:
            changed = see(path, inputs[0])
            return None if changed is None else (changed, *inputs[1:])

        return before

    handles = [module.register_forward_pre_hook(hook(path)) for path, module in _sites(model).items()]
    try:
        return run_torch(model, feeds)
    finally:
        for handle in handles:
            handle.remove()


def _entering(graph: ir.Graph, path: str) -> list[str]:
    """Names of the values that nodes of a module take from nodes outside it, in order."""
    own = [node for node in graph if module_of(str(node.name)) == path]
    taken = (value for node in own for value in node.inputs if value is not None)
    outside = (v for v in taken if v.producer() is not None and v.producer() not in own)
    return list(dict.fromkeys(str(value.name) for value in outside))

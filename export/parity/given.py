"""PyTorch with the positive means of FleS given, so that it can be held against a program whose own means jumped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from export.inputs.input_spec import Feeds
from export.layouts.means import MAX_GAP, gaps
from export.passes.name_nodes import module_of
from zoo.activations.channel_means import positive_mean
from zoo.activations.dispatch import kernel
from zoo.activations.fles import FleS
from zoo.activations.fles_network import POSITIVE
from zoo.numerics.axes import along_positions

Means = Mapping[str, Sequence[Tensor]]
"""The statistics t of FleS, (n, channels), by the module path: one for each time it is called."""


@dataclass(frozen=True)
class Ran:
    """One run of one side.

    Args:
        logits: (n, classes).
        means: what FleS computed with.
        gaps: how far the means given to a module are from those its input can have, (n,) by module path; NaN where that
            input is not finite. See `export.layouts.means.gaps`.
        same: whether the program that shows the means gives the same logits to the last bit.
    """

    logits: Tensor
    means: Means
    gaps: Mapping[str, Tensor] = field(default_factory=dict)
    same: bool = True

    def largest_gap(self, rows: Sequence[int]) -> tuple[float, str]:
        """The largest gap of some samples, and the path of its module."""
        found = [(float(gap[rows].nan_to_num(0.0, torch.inf).max()), path) for path, gap in self.gaps.items()]
        return max(found, default=(0.0, ""))

    def row(self, number: int) -> "Ran":
        """The same of one sample."""
        one = slice(number, number + 1)
        means = {path: [t if len(t) == 1 else t[one] for t in found] for path, found in self.means.items()}
        return Ran(self.logits[one], means, {path: gap[one] for path, gap in self.gaps.items()}, self.same)


def by_module(model: nn.Module, values: Mapping[str, Tensor]) -> Means:
    """A graph's means, named by `NameMeans` and in its order, under the first path that the model has for a module."""
    first = {module: path for path, module in model.named_modules()}
    modules = dict(model.named_modules(remove_duplicate=False))
    found: dict[str, list[Tensor]] = {}
    for name, value in values.items():
        if module_of(name) in modules:
            found.setdefault(first[modules[module_of(name)]], []).append(value)
    return found


def run_torch(model: nn.Module, feeds: Feeds, given: Means | None = None, checked: bool = True) -> Ran:
    """A model's logits of a batch, without gradients and in full precision.

    Args:
        model: as `Source.model`.
        feeds: the batch.
        given: means that FleS is to compute with in place of its own.
        checked: measure how far they are from those that FleS's input can have, and leave it its own where that is
            more than `MAX_GAP`. Otherwise all are taken as they are.
    """
    means: dict[str, list[Tensor]] = {}
    found: dict[str, Tensor] = {}

    def see(path: str, own: Tensor, x: Tensor, axis: int, mask: Tensor | None) -> Tensor:
        calls = (given or {}).get(path, ())
        position = len(means.setdefault(path, []))
        there = calls[position].to(own.dtype) if position < len(calls) else own
        if there is not own and checked:
            gap = _gap(there, own, x, axis, mask)
            there = torch.where(gap <= MAX_GAP, there, own) if there.shape == own.shape else own
            worst = gap.amax(1).expand(len(x))
            found[path] = torch.maximum(found[path], worst) if path in found else worst
        means[path].append(there)
        return there

    with torch.inference_mode(), _full_precision(), _watched(model, see):
        logits: Tensor = model(*feeds.values())
    return Ran(logits, means, found)


def _gap(there: Tensor, own: Tensor, x: Tensor, axis: int, mask: Tensor | None) -> Tensor:
    """Measure the distance of given means from those that x can have, (n, channels)."""
    if there.shape != own.shape:
        return torch.full(own.shape, torch.inf)
    keep = None if mask is None else along_positions(mask, x, axis).squeeze(axis).numpy()
    return torch.from_numpy(gaps(there.numpy(), x.reshape(len(own), -1, *x.shape[1:]).numpy(), axis + 1, keep))


@contextmanager
def _watched(model: nn.Module, see: Callable[..., Tensor]) -> Iterator[None]:
    """Show every module's mean to `see`, with the module's path and input, and compute with what that returns."""
    sites = {path: m for path, m in model.named_modules() if isinstance(m, FleS) and m.variant in POSITIVE}

    def coefficients(path: str, site: FleS) -> Callable[..., tuple[Tensor, Tensor]]:
        def changed(x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
            axis, over_batch = site.channel_axis % x.ndim, site.variant == "proto"
            # By its definition, whose sum overflows as a file's does: kernels add in double, and a finite mean would be
            # held against a file that has none.
            with kernel("plain"):
                own = positive_mean(x, axis, site.num_features, mask, over_batch)
            return type(site).coefficients(site, x, mask, see(path, own, x, axis, mask))

        return changed

    try:
        for path, site in sites.items():
            site.coefficients = coefficients(path, site)  # type: ignore[method-assign]
        yield
    finally:
        for site in sites.values():
            site.__dict__.pop("coefficients", None)


@contextmanager
def _full_precision() -> Iterator[None]:
    """PyTorch may be set to round the inputs of float32 matrix products to TF32 or bfloat16; not for a reference."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

"""Signals into and out of every activation and norm of a network: size, range, and gain of a small change."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.analysis._mode import evaluating
from zoo.analysis.activation_sites import signal_sites
from zoo.analysis.geometry import KINDS
from zoo.analysis.stages import stage_of
from zoo.errors import ConfigurationError
from zoo.records import Record

GAIN_IMAGES = 16
"""Gains are measured on so many images of the first batch."""
STEP = 1e-4
"""Size of the random change, relative to the root mean square of the input."""
_KEPT = 4096


@dataclass(frozen=True)
class LayerSignal(Record):
    """The signal at one activation or norm, over all images.

    Args:
        layer: its path in the model.
        kind: its class.
        stage: the part of the network it stands in.
        input_moment: E[x²] of its input, the measured q of mean-field theory.
        input_mean: E[x].
        output_moment: E[f(x)²].
        radius: the largest |x| that occurred.
        low: the 1st percentile of the inputs, of an evenly spaced sample of each batch.
        high: the 99th percentile, likewise.
        gain: ‖f(x + e) - f(x)‖ / ‖e‖ for one random e of relative size 1e-4, computed in float64 on the first
            `GAIN_IMAGES` images of the first batch.
        peak: the largest |f(x + e) - f(x)| / |e| of a single element there; None where f is not pointwise.
        peak_radius: the largest |x| or |x + e| there.
    """

    layer: str
    kind: str
    stage: str
    input_moment: float
    input_mean: float
    output_moment: float
    radius: float
    low: float
    high: float
    gain: float
    peak: float | None
    peak_radius: float


@torch.no_grad()
def signals(model: nn.Module, batches: Iterable[Tensor]) -> list[LayerSignal]:
    """Run `model` on `batches` in evaluation mode and describe the signal at each activation and norm.

    Args:
        model: any network for images; left in the mode it was in, part by part.
        batches: what the model takes, on its device.

    Returns:
        One entry for each activation and norm that was called exactly once per batch, in the order of the model's
        modules; a module that is called several times has no single input to describe.

    Raises:
        ConfigurationError: there is no activation or norm, or no batch.
    """
    watched = {path: _Watch(path, module) for path, module in signal_sites(model)}
    if not watched:
        raise ConfigurationError(f"{type(model).__name__} has no activation or norm that is known here.")
    hooks = [hook for watch in watched.values() for hook in watch.attach()]
    count = 0
    try:
        with evaluating(model):
            for batch in batches:
                model(batch)
                count += 1
    finally:
        for hook in hooks:
            hook.remove()
    if not count:
        raise ConfigurationError("signals() was given no batch; give at least one.")
    return [watch.describe() for watch in watched.values() if watch.calls == count]


class _Watch:
    """Sums over the batches at one module."""

    def __init__(self, path: str, module: nn.Module) -> None:
        self.path, self.module, self.calls = path, module, 0
        self.elements, self.outputs = 0, 0
        self.sums = torch.zeros(3, dtype=torch.float64)
        self.radius = 0.0
        self.sample: list[Tensor] = []
        self.gains: tuple[float, float | None, float] = (0.0, None, 0.0)
        # Made before there are hooks, which a copy would carry along.
        self.twin = copy.deepcopy(module).double().eval()

    def attach(self) -> list[Any]:
        # The input is read before the module runs: an in-place ReLU replaces it.
        before = self.module.register_forward_pre_hook(self._before)
        return [before, self.module.register_forward_hook(self._after)]

    def _before(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        x = args[0].detach()
        self.sums[:2] += torch.stack([x.sum(dtype=torch.float64), x.square().sum(dtype=torch.float64)]).cpu()
        self.elements += x.numel()
        self.radius = max(self.radius, float(x.abs().max()))
        values = x.flatten()
        # A copy: an in-place activation is about to change what it is given.
        self.sample.append(values[:: max(1, len(values) // _KEPT)].float().cpu().clone())
        if not self.calls:
            self.gains = _gains(self.twin, x[:GAIN_IMAGES], args[1:])
        self.calls += 1

    def _after(self, module: nn.Module, args: object, output: Tensor) -> None:
        self.sums[2] += output.detach().square().sum(dtype=torch.float64).cpu()
        self.outputs += output.numel()

    def describe(self) -> LayerSignal:
        total, squares, after = self.sums.tolist()
        ordered = torch.cat(self.sample).sort().values
        low, high = (float(ordered[round(q * (len(ordered) - 1))]) for q in (0.01, 0.99))
        gain, peak, reach = self.gains
        return LayerSignal(
            self.path, type(self.module).__name__, stage_of(self.path),
            squares / self.elements, total / self.elements, after / self.outputs,
            self.radius, low, high, gain, peak, reach,
        )  # fmt: skip


def _gains(twin: nn.Module, x: Tensor, rest: tuple[Any, ...]) -> tuple[float, float | None, float]:
    """`gain`, `peak` and `peak_radius`, on the module's twin in float64, where differences of 1e-4 keep 11 digits."""
    x = x.double()
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size = STEP * float(x.square().mean().sqrt())
    if not size:
        return 0.0, None, 0.0
    moved = x + size * noise.to(x.device)
    step = moved - x
    reach = float(torch.maximum(x.abs(), moved.abs()).max())
    change = twin(moved.clone(), *rest) - twin(x.clone(), *rest)
    gain = float(change.norm() / step.norm())
    if not isinstance(twin, KINDS):
        return gain, None, reach
    # Changes too small to divide by are left out: rounding would show as slope.
    clear = step.abs() > 0.01 * size
    return gain, float((change[clear] / step[clear]).abs().max()), reach

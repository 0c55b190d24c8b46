"""The values κ_ve and κ_ho take in each FleS of a model, over real inputs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.fles import FleS
from zoo.analysis._mode import evaluating
from zoo.errors import ConfigurationError
from zoo.records import Record

QUANTILES = {"min": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class LayerCoefficients(Record):
    """One FleS of a model.

    Args:
        layer: its path in the model.
        channels: how many it has.
        vertical: κ_ve over all inputs and channels: `min`, `p5`, `median`, `p95`, `max`, and `within`, the mean over
            channels of the standard deviation from input to input (0: the coefficient ignores its input).
        horizontal: κ_ho likewise.
    """

    layer: str
    channels: int
    vertical: dict[str, float]
    horizontal: dict[str, float]


@torch.no_grad()
def coefficients(
    model: nn.Module, batches: Iterable[Any], forward: Callable[[nn.Module, Any], object] | None = None
) -> list[LayerCoefficients]:
    """Run `model` on `batches` in evaluation mode and describe what each FleS predicted.

    Args:
        model: any module with FleS in it; left in the mode it was in, part by part.
        batches: what the model takes: tensors of images, or dictionaries of keyword arguments.
        forward: `forward(model, batch)`; None calls the model with the batch.

    Returns:
        One entry per FleS, in the order of the model's modules; those never called are left out.

    Raises:
        ConfigurationError: the model has no FleS, or there is no batch.
    """
    sites = {name: module for name, module in model.named_modules() if isinstance(module, FleS)}
    if not sites:
        raise ConfigurationError(f"{type(model).__name__} has no FleS, so there are no coefficients to look at.")
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in sites}
    hooks = [m.register_forward_hook(partial(_keep, seen[name]), with_kwargs=True) for name, m in sites.items()]
    try:
        with evaluating(model):
            for batch in batches:
                (forward or _call)(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    if not any(seen.values()):
        raise ConfigurationError("coefficients() was given no batch; give at least one.")
    return [_describe(name, sites[name].num_features, kept) for name, kept in seen.items() if kept]


def _call(model: nn.Module, batch: Any) -> object:
    return model(**batch) if isinstance(batch, dict) else model(batch)


def _keep(kept: list[tuple[Tensor, Tensor]], module: FleS, args: Any, kwargs: Any, output: object) -> None:
    vertical, horizontal = module.coefficients(*args, **kwargs)
    kept.append((vertical.flatten(1).float().cpu(), horizontal.flatten(1).float().cpu()))


def _describe(layer: str, channels: int, kept: list[tuple[Tensor, Tensor]]) -> LayerCoefficients:
    vertical, horizontal = (torch.cat([pair[i] for pair in kept]) for i in (0, 1))
    return LayerCoefficients(layer, channels, _summary(vertical), _summary(horizontal))


def _summary(values: Tensor) -> dict[str, float]:
    """Quantiles by sorting: torch.quantile takes no more than 2²⁴ values."""
    ordered = values.flatten().sort().values
    found = {name: ordered[round(q * (len(ordered) - 1))].item() for name, q in QUANTILES.items()}
    return found | {"within": values.std(0, correction=0).mean().item()}

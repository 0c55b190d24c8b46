"""FleS as its definition reads, in float64, a sample and a channel at a time: what the module must equal."""

import math

import torch
from torch import Tensor

from zoo.activations import FleS

LAYOUTS = [((3, 5), -1), ((3, 4, 5), -1), ((2, 3, 2, 5), -1), ((3, 5, 2, 3), 1), ((1, 5, 1, 1), 1), ((2, 5, 4), 1)]
"""Shapes with five channels, and the axis of these."""
VARIANTS = ["fles", "dg", "pn", "proto", "adas"]


def noise(shape: tuple[int, ...], seed: int = 0, scale: float = 2.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def module(variant: str, channel_axis: int = -1, channels: int = 5, **kwargs: object) -> FleS:
    """A FleS with three trunk units whose parameters are all random."""
    torch.manual_seed(7)
    made = FleS(channels, channel_axis, variant=variant, hidden=3, **kwargs)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape).to(parameter) / 2)
    return made


def reference(gate: FleS, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """The output for x in float64, differentiable by x and by `gate.double()`'s parameters."""
    p = {name: value.double() for name, value in gate.named_parameters()}
    rows = x.double().movedim(gate.channel_axis, -1)
    rows = rows.reshape(rows.shape[0], -1, gate.num_features)
    keep = torch.ones(rows.shape[:2], dtype=torch.bool) if mask is None else mask.reshape(rows.shape[:2]).bool()
    means = [_statistics(gate.variant, sample[kept]) for sample, kept in zip(rows, keep, strict=True)]
    if gate.variant == "proto":
        means = [_statistics("fles", rows[keep])] * len(rows)
    out = torch.stack([_gated(gate.variant, p, row, t) for row, t in zip(rows, means, strict=True)])
    moved = x.movedim(gate.channel_axis, -1)
    return out.reshape(moved.shape).movedim(-1, gate.channel_axis)


def _statistics(variant: str, sample: Tensor) -> tuple[Tensor, Tensor]:
    """t and the plain mean of (positions, c)."""
    plain, wanted = [], []
    for channel in sample.T:
        chosen = channel if variant == "pn" else channel[channel >= 0]
        wanted.append(chosen.relu().mean() if variant != "pn" and len(chosen) else chosen.sum() / max(len(chosen), 1))
        plain.append(channel.mean() if len(channel) else channel.sum() * 0)
    return torch.stack(wanted), torch.stack(plain)


def _normal(t: Tensor, eps: float = 1e-5) -> Tensor:
    return (t - t.mean()) / (((t - t.mean()) ** 2).mean() + eps).sqrt()


def _gated(variant: str, p: dict[str, Tensor], row: Tensor, statistics: tuple[Tensor, Tensor]) -> Tensor:
    t, mean = statistics
    moved = torch.zeros_like(mean)
    kappa = {}
    for head in ("vertical", "horizontal"):
        inner = p[f"{head}_bias"]
        if variant != "dg":
            size = t.abs().mean()
            level = t / size if size else torch.ones_like(t)
            inner = inner + p[f"{head}_norm"] * level
            if variant != "proto":
                units = p["trunk_weight"] @ (p["trunk_norm"] * level) + p["trunk_bias"]
                inner = inner + p[f"{head}_weight"] @ (units / (1 + torch.exp(-units)))
        kappa[head] = torch.log1p(torch.exp(inner))
    if variant == "adas":
        mixed = mean + p["shift_up"] @ (p["shift_down"] @ mean)
        moved = _normal(mixed, 1e-6) * p["shift_norm"] + p["shift_bias"]
    return kappa["vertical"] / (1 + torch.exp(-(kappa["horizontal"] * row + moved))) * row


def parameter_count(channels: int) -> int:
    """3·C·m + 5·C + m with m = max(32, C // 32)."""
    m = max(32, math.floor(channels / 32))
    return 3 * channels * m + 5 * channels + m

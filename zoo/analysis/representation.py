"""Representation at each stage: the number of directions it uses, and the distribution of its values.

A sample is one position of one image (a token of a transformer), a dimension is a channel [ours: the paper does not
say]. Of the eigenvalues λ of the channels' covariance, with p = λ/Σλ and d channels:

    effective rank  exp(-Σ p·ln p)       between 1 and d       (Roy and Vetterli 2007)
    isotropy        (Σλ)² / (d·Σλ²)      between 1/d and 1     [ours: the paper's formula is lost]

By this isotropy the paper's row "Features" (0.52 at effective rank 20.6) cannot have d = 512, but 37 at most: the paper
divides by something smaller, or uses another formula.

Variance, skewness and excess kurtosis are those of all values of all channels together [ours]; a Gaussian has 0 and 0.

Source: arXiv 2606.02927, section 5.5. Everything is summed in float64.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.analysis._mode import evaluating
from zoo.analysis.activation_sites import StageSite, stage_sites
from zoo.errors import ConfigurationError
from zoo.records import Record


@dataclass(frozen=True)
class StageRepresentation(Record):
    """The representation at one place of a network.

    Args:
        stage: "Stem", a stage or block, or "Features", the input of the classifier.
        path: the module whose output (of "Features": input) it is.
        dimensions: d, channels.
        samples: positions times images; with fewer than some tens per dimension the rank comes out too low.
        effective_rank: exp(-Σ p·ln p).
        isotropy: (Σλ)² / (d·Σλ²).
        variance: of all values.
        skewness: of all values.
        excess_kurtosis: of all values.
        spectrum: p in falling order.
    """

    stage: str
    path: str
    dimensions: int
    samples: int
    effective_rank: float
    isotropy: float
    variance: float
    skewness: float
    excess_kurtosis: float
    spectrum: tuple[float, ...]


def effective_rank(eigenvalues: Tensor) -> float:
    """exp(-Σ p·ln p), p = λ/Σλ: d if all are equal, 1 if one is alone; 0 if all are zero."""
    p = _shares(eigenvalues)
    return math.exp(float(-torch.special.xlogy(p, p).sum())) if p.any() else 0.0


def isotropy(eigenvalues: Tensor) -> float:
    """(Σλ)² / (d·Σλ²): 1 if all are equal, 1/d if one is alone; 0 if all are zero."""
    p = _shares(eigenvalues)
    return float(1 / (len(p) * p.square().sum())) if p.any() else 0.0


@torch.no_grad()
def representation(model: nn.Module, batches: Iterable[Tensor]) -> list[StageRepresentation]:
    """Run `model` on `batches` in evaluation mode and describe the representation at each stage.

    Args:
        model: an image backbone of timm or of this zoo; left in the mode it was in, part by part.
        batches: (n, channels, height, width), on the model's device.

    Returns:
        One entry for stem, stages and features, in order.

    Raises:
        ConfigurationError: the network has no stages that are known here, or there is no batch.
    """
    sites = stage_sites(model)
    sums = [_Sums() for _ in sites]
    hooks = [_attach(model, site, kept) for site, kept in zip(sites, sums, strict=True)]
    try:
        with evaluating(model):
            for batch in batches:
                model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    if not any(kept.samples for kept in sums):
        raise ConfigurationError("representation() was given no batch; give at least one.")
    return [kept.describe(site) for site, kept in zip(sites, sums, strict=True) if kept.samples]


def _attach(model: nn.Module, site: StageSite, kept: "_Sums") -> Any:
    module = model.get_submodule(site.path)
    if site.side == "input":
        return module.register_forward_pre_hook(partial(_on_input, site, kept))
    return module.register_forward_hook(partial(_on_output, site, kept))


def _on_input(site: StageSite, kept: "_Sums", module: nn.Module, args: tuple[Tensor, ...]) -> None:
    kept.add(args[0], site.channel_axis)


def _on_output(site: StageSite, kept: "_Sums", module: nn.Module, args: object, output: Tensor) -> None:
    kept.add(output, site.channel_axis)


class _Sums:
    """Power sums of all values, and the sums behind the channels' covariance, both about the first batch's means."""

    def __init__(self) -> None:
        self.samples = 0

    def add(self, x: Tensor, axis: int) -> None:
        rows = x.detach().movedim(axis if x.ndim == 4 else -1, -1).flatten(0, -2).double()
        if not self.samples:
            self.shift, self.center = rows.mean(0), rows.mean()
            self.first = rows.new_zeros(rows.shape[1])
            self.second = rows.new_zeros(rows.shape[1], rows.shape[1])
            self.powers = rows.new_zeros(4)
        values = rows - self.center
        square = values * values
        self.powers += torch.stack([values.sum(), square.sum(), (square * values).sum(), (square * square).sum()])
        rows = rows - self.shift
        self.first += rows.sum(0)
        self.second += rows.T @ rows
        self.samples += len(rows)

    def describe(self, site: StageSite) -> StageRepresentation:
        mean = self.first / self.samples
        covariance = self.second / self.samples - torch.outer(mean, mean)
        eigenvalues = torch.linalg.eigvalsh(covariance.cpu())
        p = _shares(eigenvalues).flip(0)
        return StageRepresentation(
            site.stage,
            site.path,
            len(mean),
            self.samples,
            effective_rank(eigenvalues),
            isotropy(eigenvalues),
            *_moments((self.powers / (self.samples * len(mean))).tolist()),
            tuple(p.tolist()),
        )


def _moments(raw: list[float]) -> tuple[float, float, float]:
    """Variance, skewness and excess kurtosis from the means of the first four powers about any one point."""
    m, m2, m3, m4 = raw
    variance = m2 - m * m
    if variance <= 0:
        return 0.0, 0.0, 0.0
    third = m3 - 3 * m * m2 + 2 * m**3
    fourth = m4 - 4 * m * m3 + 6 * m * m * m2 - 3 * m**4
    return variance, third / variance**1.5, fourth / variance**2 - 3


def _shares(eigenvalues: Tensor) -> Tensor:
    """λ/Σλ; rounding leaves tiny negative eigenvalues, which count as none."""
    positive = eigenvalues.double().clamp_min(0)
    total = positive.sum()
    return positive / total if total > 0 else positive

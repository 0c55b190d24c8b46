"""Comparison of two tables of logits."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from export.parity.tolerances import SMALLEST_SCALE, Tolerance
from zoo.records import Figure


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """One probe's figures; "rel" is relative to the largest |logit| of the same image or text.

    Args:
        n: number of samples.
        max_abs: largest |runtime - PyTorch|.
        max_rel: the same, relative.
        cosine: smallest cosine similarity of a sample's two logit vectors.
        top1_changed: samples whose first class differs.
        new_nans: logits that are NaN in the runtime but not in PyTorch.
        undefined: logits that are not finite in PyTorch itself. On images and texts they are a failure; on extremes
            only their NaNs are judged.
        max_rel_float64: largest relative |runtime - float64 PyTorch|; None where float64 could not be run.
        own_rel_float64: largest relative |float32 PyTorch - float64 PyTorch|; None likewise.
    """

    n: int
    max_abs: Figure
    max_rel: Figure
    cosine: Figure
    top1_changed: int
    new_nans: int
    undefined: int
    max_rel_float64: Figure | None
    own_rel_float64: Figure | None


def compare(
    reference: Tensor, candidate: Tensor, exact: Tensor | None = None, floor: float = SMALLEST_SCALE
) -> OutputComparison:
    """Compare logits (n, classes).

    Args:
        reference: PyTorch in float32.
        candidate: the runtime.
        exact: PyTorch in float64.
        floor: the largest |logit| of a sample is taken to be at least this.
    """
    wide, other = reference.double(), candidate.double()
    defined = wide.isfinite()
    gap = torch.where(defined, (other - wide).abs().nan_to_num(nan=math.inf, posinf=math.inf), 0.0)
    scale = largest_logits(wide).clamp_min(floor)
    clean, met = torch.where(defined, wide, 0.0), torch.where(defined, other, 0.0)
    return OutputComparison(
        n=len(wide),
        max_abs=float(gap.max()),
        max_rel=float((gap / scale).max()),
        cosine=float(_cosine(clean, met).min()),
        top1_changed=int((clean.argmax(1) != met.argmax(1)).sum()),
        new_nans=int((other.isnan() & ~wide.isnan()).sum()),
        undefined=int((~defined).sum()),
        max_rel_float64=None if exact is None else _relative(other, exact, floor),
        own_rel_float64=None if exact is None else _relative(wide, exact, floor),
    )


def allowance(found: OutputComparison, limit: Tolerance) -> float:
    """The largest relative difference allowed here; above `limit.ill_conditioned` it is no longer a test."""
    return min(limit.most, max(limit.max_rel, limit.own_errors * (found.own_rel_float64 or 0.0)))


def failures(found: OutputComparison, limit: Tolerance) -> tuple[str, ...]:
    """List in words what exceeds the tolerance; empty if nothing does."""
    allowed = allowance(found, limit)
    within = found.max_rel <= allowed if allowed <= limit.ill_conditioned else found.max_rel < math.inf
    problems = []
    if limit.finite and found.undefined:
        problems.append(f"{found.undefined} logits of PyTorch itself are NaN or infinite")
    if found.new_nans:
        problems.append(f"{found.new_nans} NaN where PyTorch has none")
    if not within:
        problems.append(f"relative difference {found.max_rel:.2e}, allowed {allowed:.2e}")
    if limit.same_top1 and found.top1_changed:
        problems.append(f"another first class on {found.top1_changed} of {found.n} samples")
    return tuple(problems)


def largest_logits(logits: Tensor) -> Tensor:
    """(n, 1): the largest finite |logit| of each sample, above zero."""
    return torch.where(logits.isfinite(), logits.abs(), 0.0).amax(1, keepdim=True).clamp_min(SMALLEST_SCALE)


def _relative(value: Tensor, exact: Tensor, floor: float) -> float:
    both = value.isfinite() & exact.isfinite()
    return float((torch.where(both, (value - exact).abs(), 0.0) / largest_logits(exact).clamp_min(floor)).max())


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Per row, on rows scaled to at most 1 so that squares neither overflow nor vanish; equal rows of zeros give 1."""
    a, b = (v.nan_to_num() / v.nan_to_num().abs().amax(1, keepdim=True).clamp_min(1e-300) for v in (a, b))
    both_zero = (a == 0).all(1) & (b == 0).all(1)
    return torch.where(both_zero, 1.0, torch.nn.functional.cosine_similarity(a, b, dim=1))

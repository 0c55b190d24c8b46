"""From what all sides computed to the verdict on a probe."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from export.layouts.means import MAX_GAP
from export.parity.compare_outputs import OutputComparison, allowance, compare, failures, largest_logits
from export.parity.given import Ran
from export.parity.implementations import Sides, largest_inside
from export.parity.parity_report import ProbeResult
from export.parity.probes import EXTREME, TEXTS, Probe
from export.parity.tolerances import Tolerance


@dataclass(frozen=True)
class Answers:
    """Answers of all sides to a probe.

    Args:
        probe: what was asked.
        reference: PyTorch in float32, with the file's means of FleS.
        candidate: the file.
        exact: PyTorch in float64 with the means of its float32, if the model runs in it.
    """

    probe: Probe
    reference: Ran
    candidate: Ran
    exact: Tensor | None

    @classmethod
    def of(cls, probe: Probe, sides: Sides) -> "Answers":
        """Ask all sides."""
        candidate = sides.runtime(probe.feeds)
        reference = sides.torch(probe.feeds, candidate.means)
        return cls(probe, reference, candidate, sides.exact(probe.feeds, reference.means))

    @property
    def rows(self) -> list[int]:
        """Indices of the samples that count."""
        return list(range(len(self.reference.logits)) if self.probe.rows is None else self.probe.rows)

    def compared(self, floor: float) -> OutputComparison:
        """The figures."""
        rows = self.rows
        exact = None if self.exact is None else self.exact[rows]
        return compare(self.reference.logits[rows], self.candidate.logits[rows], exact, floor)


def median_size(answers: list[Answers]) -> float:
    """The median over all texts of their largest |logit|: a text between two classes is no measure of an error."""
    texts = [answer.reference.logits[answer.rows] for answer in answers if answer.probe.kind == TEXTS]
    return float(largest_logits(torch.cat(texts).double()).median())


def judge(answers: Answers, floor: float, limit: Tolerance, model: nn.Module) -> ProbeResult:
    """The verdict.

    Args:
        answers: of all sides.
        floor: a sample's logits are taken to be at least this large; see `compare`.
        limit: how far the sides may be from each other.
        model: PyTorch's, to see whether an extreme exceeds the precision.
    """
    found, (gap, path) = answers.compared(floor), answers.reference.largest_gap(answers.rows)
    allowed, problems = allowance(found, limit), failures(found, limit)
    if gap > MAX_GAP:
        problems += (f"the mean of FleS in {path} is {gap:.1e} of its input's size off, allowed {MAX_GAP:.0e}",)
    if not answers.candidate.same:
        problems += ("the file gives other logits where the means of FleS are outputs as well",)
    result = ProbeResult(
        name=answers.probe.name,
        kind=answers.probe.kind,
        found=found,
        allowed=allowed,
        judged=allowed <= limit.ill_conditioned,
        mean_gap=gap,
        problems=problems,
    )
    if result.problems and answers.probe.kind == EXTREME and limit.largest < math.inf:
        peak = largest_inside(model, answers.probe.feeds)
        return replace(result, judged=False, problems=()) if peak > limit.largest else result
    return result

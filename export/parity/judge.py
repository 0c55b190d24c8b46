"""From the logits of all sides to the verdict on a probe."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from export.parity.compare import Comparison, allowance, compare, failures, largest_logits
from export.parity.edges import Edges, Inputs
from export.parity.probes import EXTREME, TEXTS, Probe
from export.parity.report import ProbeResult
from export.parity.sides import Sides, largest_inside
from export.parity.tolerances import Tolerance

JUMP = 1e-6
"""Share of the largest logit by which PyTorch's float32 and float64 differ at least where a jump lies between them."""


@dataclass(frozen=True)
class Answers:
    """The logits of a probe, of those rows that count.

    Args:
        probe: what was asked.
        rows: which samples of it count.
        reference: PyTorch in float32.
        candidate: the file.
        exact: PyTorch in float64, if the model runs in it.
    """

    probe: Probe
    rows: list[int]
    reference: Tensor
    candidate: Tensor
    exact: Tensor | None

    @classmethod
    def of(cls, probe: Probe, sides: Sides) -> "Answers":
        """Ask all sides."""
        reference, candidate, exact = sides.torch(probe.feeds), sides.runtime(probe.feeds), sides.exact(probe.feeds)
        rows = list(range(len(reference))) if probe.rows is None else list(probe.rows)
        return cls(probe, rows, reference[rows], candidate[rows], None if exact is None else exact[rows])

    def compared(self, floor: float) -> Comparison:
        """The figures."""
        return compare(self.reference, self.candidate, self.exact, floor)


def median_size(answers: list[Answers]) -> float:
    """The median over all texts of their largest |logit|: a text between two classes is no measure of an error."""
    sizes = torch.cat([largest_logits(answer.reference.double()) for answer in answers if answer.probe.kind == TEXTS])
    return float(sizes.median())


def judge(answers: Answers, floor: float, limit: Tolerance, edges: Edges) -> ProbeResult:
    """The verdict.

    Args:
        answers: of all sides.
        floor: a sample's logits are taken to be at least this large; see `compare`.
        limit: how far the sides may be from each other.
        edges: the jumps of FleS. An element next to zero that float64 has on the other side than float32 is put on
            float32's side first, and where the file fails, PyTorch's are put on the file's side; at last, a file on
            float64's side of a jump passes as well.
    """
    given, found = answers, answers.compared(floor)
    if edges.sites and (found.own_rel_float64 or 0.0) > limit.max_rel:
        answers = replace(answers, exact=_exact(answers, edges, edges.of_torch(answers.probe.feeds)[0]))
        found = answers.compared(floor)
    result = _result(answers, found, limit)
    if result.problems and answers.probe.kind == EXTREME and limit.largest < math.inf:
        peak = largest_inside(edges.model, answers.probe.feeds)
        result = replace(result, judged=False, problems=()) if peak > limit.largest else result
    if not result.problems or not edges.sites:
        return result
    inputs, again = edges.of_file(answers.probe.feeds)
    aligned, jumps = edges.aligned(answers.probe.feeds, inputs)
    watched = compare(answers.candidate, again[answers.rows], None, floor).max_rel
    same_side = replace(answers, reference=aligned[answers.rows], exact=_exact(answers, edges, inputs))
    better = _result(same_side, same_side.compared(floor), limit)
    if not jumps or better.problems or watched > limit.max_rel:
        # Where the runtime adds in another order once its values are watched, the jump itself cannot be seen.
        either, jumps = _on_either_side(given)
        better = _result(either, either.compared(floor), limit)
    if not jumps or better.problems:
        return result
    return replace(better, jumps=jumps, jump_rel=result.found.max_rel)


def _on_either_side(answers: Answers) -> tuple[Answers, int]:
    """PyTorch's float64 in the place of its float32 for samples on which the file is closer to that; and how many."""
    reference, exact, found = answers.reference, answers.exact, answers.candidate.double()
    if exact is None:
        return answers, 0
    closer = (found - exact).abs().amax(1) < (found - reference.double()).abs().amax(1)
    jumped = closer & ((exact - reference.double()).abs().amax(1) > JUMP * largest_logits(reference.double())[:, 0])
    rows = torch.where(jumped[:, None], exact.to(reference.dtype), reference)
    return replace(answers, reference=rows), int(jumped.sum())


def _exact(answers: Answers, edges: Edges, inputs: Inputs) -> Tensor | None:
    exact = None if answers.exact is None else edges.exact(answers.probe.feeds, inputs)
    return None if exact is None else exact[answers.rows]


def _result(answers: Answers, found: Comparison, limit: Tolerance) -> ProbeResult:
    allowed = allowance(found, limit)
    return ProbeResult(
        name=answers.probe.name,
        kind=answers.probe.kind,
        found=found,
        allowed=allowed,
        judged=allowed <= limit.ill_conditioned,
        jumps=0,
        jump_rel=0.0,
        problems=failures(found, limit),
    )

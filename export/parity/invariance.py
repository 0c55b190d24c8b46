"""Whether a text's logits stay what they are when it is padded and when it has company, in both runtimes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from export.inputs import Feeds, TextInputSpec
from export.inputs.text import IDS, TYPES
from export.parity.edges import Edges
from export.parity.probes import spaced
from export.parity.sides import Sides
from export.parity.text_probes import pad_id
from export.parity.text_samples import join
from export.parity.tolerances import SMALLEST_SCALE, Tolerance

PADDED_BY = (1, 8, 16, 32, 64, 128)
# As many texts, from the shortest to the longest, are padded to every length.
TEXTS_PADDED = 4
_SIDES = ("PyTorch", "ONNX Runtime")


@dataclass(frozen=True, kw_only=True)
class Invariance:
    """One change that must not change logits, over several texts.

    Args:
        name: what was done to the texts.
        torch: largest change of a logit in PyTorch, relative to the largest |logit| of the text.
        onnxruntime: the same in the exported file.
        lengths: for each text, its number of tokens and that of the batch it was put into.
        allowed: the largest change that passed or would have.
        jumps: elements next to zero that were put on the same side first; see `export.parity.edges`.
        jump_change: largest change where that was done, before it.
        problems: what was wrong; empty if nothing.
    """

    name: str
    torch: float
    onnxruntime: float
    lengths: tuple[tuple[int, int], ...]
    allowed: float
    jumps: int
    jump_change: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """One text after a change.

    Args:
        text: its number.
        feeds: the batch that holds it.
        row: where.
    """

    text: int
    feeds: Feeds
    row: int = 0

    @property
    def width(self) -> int:
        """Number of tokens of the batch."""
        return self.feeds[IDS].shape[1]


@dataclass(frozen=True)
class _Change:
    """How much a trial changed a text's logits in one runtime, with the jumps that were set aside."""

    size: float
    allowed: float
    jumps: int = 0
    before: float = 0.0


class InvarianceCheck:
    """The changes for a list of texts, run one by one.

    Args:
        texts: inputs of single texts, (1, tokens).
        spec: the model's input.
        sides: the two runtimes.
        edges: the jumps of FleS in them.
        limit: how much logits may change.
    """

    def __init__(
        self, texts: Sequence[Feeds], spec: TextInputSpec, sides: Sides, edges: Edges, limit: Tolerance
    ) -> None:
        self.texts, self.sides, self.edges, self.limit = list(texts), sides, edges, limit
        self.cases = dict(_padded_cases(self.texts, spec))
        self._alone: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.cases) + 1

    def run(self, company: Sequence[Trial], floor: float) -> Iterator[Invariance]:
        """Run every change.

        Args:
            company: each text in a batch of texts of different lengths.
            floor: a text's logits are taken to be at least this large; see `compare`.
        """
        for name, trials in (self.cases | {"in a batch with other texts": company}).items():
            # Trials of one batch stand side by side; it is run once.
            runs: dict[int, tuple[Tensor, Tensor]] = {}
            changes = []
            for trial in trials:
                if id(trial.feeds) not in runs:
                    runs = {id(trial.feeds): (self.sides.torch(trial.feeds), self.sides.runtime(trial.feeds))}
                changes.append([self._change(trial, i, runs[id(trial.feeds)][i], floor) for i in range(len(_SIDES))])
            yield self._judge(name, trials, changes)

    def _change(self, trial: Trial, side: int, logits: Tensor, floor: float) -> _Change:
        """How far a text's logits have moved; a move beyond the limit is looked at for jumps."""
        text = self.texts[trial.text]
        if trial.text not in self._alone:
            self._alone[trial.text] = self.sides.torch(text), self.sides.runtime(text)
        alone = self._alone[trial.text][side]
        moved = _distance(alone[0], logits[trial.row], floor)
        if moved <= self.limit.max_rel:
            return _Change(moved, self.limit.max_rel)
        size, jumps = moved, 0
        if self.edges.sites:
            changed = self._same_side(trial, side, logits, floor)
            unchanged = self._same_side(Trial(trial.text, text), side, alone, floor)
            size, jumps = max(changed[0], unchanged[0]), changed[1] + unchanged[1]
        within = jumps and size <= self.limit.max_rel
        allowed = self.limit.max_rel if within else self._allowed(trial, floor)
        return _Change(size, allowed, jumps, moved) if jumps and size <= allowed else _Change(moved, allowed)

    def _allowed(self, trial: Trial, floor: float) -> float:
        """The limit for one trial, by how far PyTorch's float32 is from its own float64 before and after the change."""
        own = max(self._own_error(Trial(trial.text, self.texts[trial.text]), floor), self._own_error(trial, floor))
        return min(self.limit.most, max(self.limit.max_rel, self.limit.own_errors * own))

    def _own_error(self, trial: Trial, floor: float) -> float:
        logits, exact = self.sides.torch(trial.feeds), self.sides.exact(trial.feeds)
        if exact is not None and self.edges.sites:
            exact = self.edges.exact(trial.feeds, self.edges.of_torch(trial.feeds)[0])
        return 0.0 if exact is None else _distance(exact[trial.row], logits[trial.row].double(), floor)

    def _same_side(self, trial: Trial, side: int, logits: Tensor, floor: float) -> tuple[float, int]:
        """How far a runtime's logits are from PyTorch's of the text alone, put on the same side; and its jumps."""
        text, row = self.texts[trial.text], trial.row
        inputs, again = (self.edges.of_torch if side == 0 else self.edges.of_file)(trial.feeds)
        there = {path: x[row : row + 1, : text[IDS].shape[1]] for path, x in inputs.items()}
        alone, jumps = self.edges.aligned(text, there)
        return max(_distance(alone[0], logits[row], floor), _distance(again[row], logits[row], floor)), jumps

    def _judge(self, name: str, trials: Sequence[Trial], changes: list[list[_Change]]) -> Invariance:
        lengths = [(self.texts[trial.text][IDS].shape[1], trial.width) for trial in trials]
        worst, problems = [], []
        for side, column in zip(_SIDES, zip(*changes, strict=True), strict=True):
            sizes = [change.size for change in column]
            worst.append(max(sizes))
            over = [change for change in column if change.size > change.allowed]
            if over:
                most = max(over, key=lambda change: change.size)
                tokens, width = lengths[sizes.index(most.size)]
                problems.append(
                    f"{side}'s logits of a text of {tokens} tokens change by {most.size:.2e} of their size at length "
                    f"{width}, allowed {most.allowed:.0e}"
                )
        flat = [change for pair in changes for change in pair]
        return Invariance(
            name=name,
            torch=worst[0],
            onnxruntime=worst[1],
            lengths=tuple(lengths),
            allowed=max(change.allowed for change in flat),
            jumps=sum(change.jumps for change in flat),
            jump_change=max(change.before for change in flat),
            problems=tuple(problems),
        )


def _padded_cases(texts: list[Feeds], spec: TextInputSpec) -> Iterator[tuple[str, list[Trial]]]:
    by_length = sorted(range(len(texts)), key=lambda i: texts[i][IDS].shape[1])
    picked = [by_length[i] for i in spaced(len(texts) - 1, TEXTS_PADDED - 1)] + by_length[-1:]
    tokens, fill = {i: texts[i][IDS].shape[1] for i in picked}, pad_id(spec)
    for more in PADDED_BY:
        fitting = [i for i in picked if tokens[i] + more <= spec.max_length]
        if fitting:
            yield f"padded by {more}", [Trial(i, join([texts[i]], fill, tokens[i] + more)) for i in fitting]
    shorter = [i for i in picked if tokens[i] < spec.max_length]
    if shorter:
        full = [Trial(i, join([texts[i]], fill, spec.max_length)) for i in shorter]
        yield f"padded to {spec.max_length}, the largest number", full
        other = {i: min(tokens[i] + PADDED_BY[1], spec.max_length) for i in shorter}
        yield "padded with other tokens", [Trial(i, _other_padding(texts[i], n, spec)) for i, n in other.items()]


def _other_padding(text: Feeds, length: int, spec: TextInputSpec) -> Feeds:
    """Padding of the last token and the last type: what stands where the mask is 0 must not matter."""
    feeds, tokens = join([text], spec.vocab_size - 1, length), text[IDS].shape[1]
    feeds[TYPES][:, tokens:] = spec.type_vocab_size - 1
    return feeds


def _distance(alone: Tensor, found: Tensor, floor: float) -> float:
    scale = max(float(alone.abs().max()), floor, SMALLEST_SCALE)
    return float((found - alone).abs().nan_to_num(nan=math.inf, posinf=math.inf).max()) / scale

"""Invariance of a text's logits when it is padded and when it has company, checked in both runtimes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from export.inputs.input_spec import Feeds
from export.inputs.text_input import IDS, TYPES, TextInputSpec
from export.layouts.means import MAX_GAP
from export.parity.compare_outputs import allowance, compare
from export.parity.given import Ran
from export.parity.implementations import Sides
from export.parity.probes import spaced
from export.parity.text_probes import pad_id
from export.parity.text_samples import join
from export.parity.tolerances import Tolerance
from zoo.records import Figure

PADDED_BY = (1, 8, 16, 32, 64, 128)
# As many texts, from the shortest to the longest, are padded to every length.
TEXTS_PADDED = 4
_SIDES = ("PyTorch", "ONNX Runtime")


@dataclass(frozen=True, kw_only=True)
class Invariance:
    """One change that must not change logits, over several texts.

    Args:
        name: what was done to the texts.
        torch: largest change of a logit in PyTorch, relative to the largest |logit| of the text. Where it exceeds the
            tolerance, the means of FleS may have jumped: then the largest distance from PyTorch on the text alone,
            given the means that the text had before and after the change.
        onnxruntime: the same in the exported file.
        lengths: for each text, its number of tokens and that of the batch it was put into.
        allowed: the largest change that passed or would have.
        problems: what was wrong; empty if nothing.
    """

    name: str
    torch: Figure
    onnxruntime: Figure
    lengths: tuple[tuple[int, int], ...]
    allowed: Figure
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


class InvarianceCheck:
    """The changes for a list of texts, run one by one.

    Args:
        texts: inputs of single texts, (1, tokens).
        spec: the model's input.
        sides: the two runtimes.
        limit: how much logits may change.
    """

    def __init__(self, texts: Sequence[Feeds], spec: TextInputSpec, sides: Sides, limit: Tolerance) -> None:
        self.texts, self.sides, self.limit = list(texts), sides, limit
        self.cases = dict(_padded_cases(self.texts, spec))
        self._alone: dict[int, tuple[Ran, Ran]] = {}

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
            runs: dict[int, tuple[Ran, Ran]] = {}
            changes = []
            for trial in trials:
                if id(trial.feeds) not in runs:
                    runs = {id(trial.feeds): self._both(trial.feeds)}
                if trial.text not in self._alone:
                    self._alone[trial.text] = self._both(self.texts[trial.text])
                pairs = zip(self._alone[trial.text], runs[id(trial.feeds)], strict=True)
                changes.append([self._change(trial, alone, ran.row(trial.row), floor) for alone, ran in pairs])
            yield self._judge(name, trials, changes)

    def _both(self, feeds: Feeds) -> tuple[Ran, Ran]:
        return self.sides.torch(feeds, {}), self.sides.runtime(feeds)

    def _change(self, trial: Trial, alone: Ran, ran: Ran, floor: float) -> tuple[float, float]:
        """Return the change of a text's logits and the largest change allowed."""
        found = compare(alone.logits, ran.logits, None, floor)
        moved = math.inf if found.undefined else found.max_rel
        if moved <= self.limit.max_rel:
            return moved, self.limit.max_rel
        pairs = [self._given(self.texts[trial.text], each, floor) for each in (alone, ran)]
        return max(pairs, key=lambda pair: pair[0] - pair[1])

    def _given(self, text: Feeds, ran: Ran, floor: float) -> tuple[float, float]:
        """Compare logits with those of PyTorch for the text alone with the same means: difference and limit."""
        reference = self.sides.torch(text, ran.means)
        found = compare(reference.logits, ran.logits, self.sides.exact(text, reference.means), floor)
        proven = ran.same and not found.undefined and reference.largest_gap([0])[0] <= MAX_GAP
        return found.max_rel if proven else math.inf, allowance(found, self.limit)

    def _judge(self, name: str, trials: Sequence[Trial], changes: list[list[tuple[float, float]]]) -> Invariance:
        lengths = [(self.texts[trial.text][IDS].shape[1], trial.width) for trial in trials]
        worst, problems = [], []
        for side, column in zip(_SIDES, zip(*changes, strict=True), strict=True):
            worst.append(max(size for size, _ in column))
            over = [
                (size, allowed, place) for (size, allowed), place in zip(column, lengths, strict=True) if size > allowed
            ]
            if over:
                most, allowed, (tokens, width) = max(over)
                problems.append(
                    f"{side}'s logits of a text of {tokens} tokens change by {most:.2e} of their size at length "
                    f"{width}, allowed {allowed:.0e}"
                )
        return Invariance(
            name=name,
            torch=worst[0],
            onnxruntime=worst[1],
            lengths=tuple(lengths),
            allowed=max(allowed for pair in changes for _, allowed in pair),
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

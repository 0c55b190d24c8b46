"""The saved outcome of a parity check."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from export.errors import OnnxFileError
from export.parity.compare_outputs import OutputComparison
from export.parity.invariance import Invariance
from export.parity.probes import EXTREME, IMAGES
from zoo.records import Figure, Record, figure

SUFFIX = ".parity.json"


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """One probe.

    Args:
        name: what it was.
        kind: images, texts or extremes.
        found: the figures.
        allowed: the largest relative difference that passes.
        judged: False where `allowed` exceeds `ill_conditioned`, and only NaN and infinity count, and where the
            precision cannot hold what the model computes.
        mean_gap: how far the file's means of FleS, which PyTorch was given, are at most from those that its input can
            have; see `export.layouts.means.gaps`. 0 if none were given.
        problems: what was wrong; empty if nothing.
    """

    name: str
    kind: str
    found: OutputComparison
    allowed: Figure
    judged: bool
    mean_gap: Figure = 0.0
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ParityReport(Record):
    """Verdict on the agreement of a file and a PyTorch model, with everything needed to judge or repeat it.

    Args:
        model: public name of the model.
        target: name of the export target.
        precision: the row of the tolerance table.
        weights_sha256: digest of the model's weights.
        file_sha256: digest of the file that was run.
        samples: where the images or texts came from.
        providers: what the session ran on.
        engine: the runtime and its version.
        not_run: why the place the target names was not used, and what stood in for it; empty if it was used.
        near_limit: nodes that came near the largest float16 on the samples, if it was looked for.
        versions: of torch, onnxruntime, onnx and this package.
        float64: why there are no float64 figures; empty if there are.
        first_difference: the first node that differs, or why it was not found; empty if all passed.
        results: one per probe.
        invariance: for texts, one per change that must not change logits: padding, company.
    """

    subject = "parity report"
    error = OnnxFileError
    remedy = "Export the model again, or write one: zoo validate FILE MODEL --report {path}."
    # The figures before the fields follow from them, and older reports counted the jumps of FleS.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"strict": True, "extra": "ignore"}

    model: str
    target: str
    precision: str
    weights_sha256: str
    file_sha256: str
    samples: str
    providers: tuple[str, ...]
    versions: dict[str, str]
    float64: str
    first_difference: str
    results: tuple[ProbeResult, ...]
    invariance: tuple[Invariance, ...] = ()
    engine: str = ""
    not_run: str = ""
    near_limit: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True if there are probes, and everything is within tolerance."""
        return bool(self.results) and not self.failures()

    @property
    def kind(self) -> str:
        """Kind of the samples compared besides extremes: "images" or "texts"."""
        return next((result.kind for result in self.results if result.kind != EXTREME), IMAGES)

    @property
    def n_samples(self) -> int:
        """Number of images or texts, extremes not counted."""
        return sum(result.found.n for result in self.results if result.kind == self.kind)

    @property
    def top1_agreement(self) -> float:
        """Share of the images or texts, extremes not counted, that keep their first class."""
        return 1 - sum(r.found.top1_changed for r in self.results if r.kind == self.kind) / max(1, self.n_samples)

    def worst(self, field: str, kind: str | None = None) -> float:
        """The largest value of a figure, such as "max_rel", over all probes of a kind; -inf if there are none."""
        values = (getattr(r.found, field) for r in self.results if kind in (None, r.kind))
        return max((float(value) for value in values if value is not None), default=float("-inf"))

    def total(self, field: str) -> int:
        """The sum of a count of `OutputComparison`, such as "new_nans", over all probes."""
        return sum(int(getattr(result.found, field)) for result in self.results)

    @property
    def n_not_judged(self) -> int:
        """Number of probes whose input is ill-conditioned."""
        return sum(not result.judged for result in self.results)

    def failures(self) -> list[str]:
        """One line per probe, and per change that must change nothing, that failed."""
        every: list[ProbeResult | Invariance] = [*self.results, *self.invariance]
        return [f"{result.name}: {'; '.join(result.problems)}" for result in every if result.problems]

    def largest_change(self) -> tuple[float, float]:
        """Return the largest change of a text's logits by padding and company, in PyTorch and in ONNX Runtime."""
        found = self.invariance
        return max((r.torch for r in found), default=0.0), max((r.onnxruntime for r in found), default=0.0)

    def summary(self) -> str:
        """The outcome in one line."""
        if not self.results:
            return "failed: nothing was compared"
        samples = f"max rel {self.worst('max_rel', self.kind):.1e}, top-1 {self.top1_agreement:.0%}"
        extremes = [r for r in self.results if r.kind == EXTREME]
        judged = [r.found.max_rel for r in extremes if r.judged]
        count = len(self.results) + len(self.invariance)
        verdict = "passed" if self.passed else f"{len(self.failures())} of {count} probes failed"
        changes = "; padding and company change {:.1e} in PyTorch, {:.1e} in the file".format(*self.largest_change())
        return (
            f"{verdict}: {self.n_samples} {self.kind} {samples}; {len(extremes)} extremes max rel "
            f"{max(judged, default=0.0):.1e}, {self.n_not_judged} ill-conditioned and not judged; "
            f"new NaN {self.total('new_nans')}, undefined in PyTorch {self.total('undefined')}"
            + (f"; {self.not_run}" if self.not_run else "")
            + (changes if self.invariance else "")
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON, with the verdict and the worst figures first."""
        head = {
            "passed": self.passed,
            f"n_{self.kind}": self.n_samples,
            "top1_agreement": self.top1_agreement,
            f"max_rel_{self.kind}": self.worst("max_rel", self.kind),
            f"max_abs_{self.kind}": self.worst("max_abs", self.kind),
            "n_not_judged": self.n_not_judged,
        }
        if self.invariance:
            head |= dict(zip(("max_change_torch", "max_change_onnxruntime"), self.largest_change(), strict=True))
        return {key: figure(value) for key, value in head.items()} | super().to_dict()


def report_path(file: str | Path) -> Path:
    """Return the path of an exported file's report, which lies beside it."""
    return Path(f"{file}{SUFFIX}")

"""The saved outcome of a parity check."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from export.errors import OnnxFileError
from export.parity.compare_outputs import OutputComparison
from export.parity.invariance import Invariance
from export.parity.probes import EXTREME, IMAGES
from zoo.files import write_atomic

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
    allowed: float
    judged: bool
    mean_gap: float
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ParityReport:
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
        plain: dict[str, Any] = _json_numbers(head | asdict(self))
        return plain

    def to_json(self) -> str:
        """`to_dict` as text, in the form of the saved report."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the report as JSON, atomically.

        Raises:
            OutputError: the file cannot be written.
        """
        return write_atomic(path, lambda file: file.write_text(self.to_json(), encoding="utf-8"))

    @classmethod
    def load(cls, path: str | Path) -> "ParityReport":
        """Read a saved report.

        Raises:
            OnnxFileError: it is missing or damaged.
        """
        try:
            stored = json.loads(Path(path).read_text(encoding="utf-8"))
            # Reports written before there were texts and FleS have no such entries.
            stored = {"invariance": [], "engine": "", "not_run": "", "near_limit": []} | stored
            values = {field.name: stored[field.name] for field in fields(cls)}
            results = tuple(_result(entry) for entry in values["results"])
            invariance = tuple(_invariance(entry) for entry in values["invariance"])
            providers, near = tuple(values["providers"]), tuple(values["near_limit"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OnnxFileError(
                f"There is no readable parity report at {path} ({type(error).__name__}: {error}). "
                f"Export the model again, or write one: zoo validate FILE MODEL --report {path}."
            ) from error
        changed = {"results": results, "providers": providers, "invariance": invariance, "near_limit": near}
        return cls(**values | changed)


def report_path(file: str | Path) -> Path:
    """Return the path of an exported file's report, which lies beside it."""
    return Path(f"{file}{SUFFIX}")


def _json_numbers(value: Any) -> Any:
    """JSON knows no infinity: such a number becomes text, "inf", which `float` reads back."""
    if isinstance(value, dict):
        return {key: _json_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_numbers(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _comparison(stored: dict[str, Any]) -> OutputComparison:
    values: dict[str, Any] = {key: float(v) if isinstance(v, str) else v for key, v in stored.items()}
    return OutputComparison(**values)


def _result(stored: dict[str, Any]) -> ProbeResult:
    values = _plain(ProbeResult, {"mean_gap": 0.0} | stored, ("allowed", "mean_gap"))
    return ProbeResult(**values | {"found": _comparison(stored["found"])})


def _invariance(stored: dict[str, Any]) -> Invariance:
    lengths = tuple((int(tokens), int(width)) for tokens, width in stored["lengths"])
    return Invariance(**_plain(Invariance, stored, ("torch", "onnxruntime", "allowed")) | {"lengths": lengths})


def _plain(kind: type[ProbeResult | Invariance], stored: dict[str, Any], numbers: Sequence[str]) -> dict[str, Any]:
    """The entries that the class has today: older reports counted the jumps of FleS."""
    values = {field.name: stored[field.name] for field in fields(kind)}
    return values | {name: float(values[name]) for name in numbers} | {"problems": tuple(values["problems"])}

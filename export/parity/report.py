"""The saved outcome of a parity check."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from export.errors import OnnxFileError
from export.parity.compare import Comparison
from export.parity.probes import IMAGES
from zoo._files import write_atomic

SUFFIX = ".parity.json"


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """One probe.

    Args:
        name: what it was.
        kind: images or extremes.
        found: the figures.
        allowed: the largest relative difference that passes.
        judged: False where `allowed` exceeds `ILL_CONDITIONED`: then only NaN and infinity count.
        problems: what was wrong; empty if nothing.
    """

    name: str
    kind: str
    found: Comparison
    allowed: float
    judged: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """Whether a file and a PyTorch model agree, with everything needed to judge or repeat it.

    Args:
        model: public name of the model.
        target: name of the export target.
        precision: the row of the tolerance table.
        weights_sha256: digest of the model's weights.
        file_sha256: digest of the file that was run.
        samples: where the images came from.
        providers: what the session ran on.
        versions: of torch, onnxruntime, onnx and this package.
        float64: why there are no float64 figures; empty if there are.
        first_difference: the first node that differs, or why it was not found; empty if all passed.
        results: one per probe.
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

    @property
    def passed(self) -> bool:
        """Whether there are probes and every one is within tolerance."""
        return bool(self.results) and not self.failures()

    @property
    def n_images(self) -> int:
        """Number of images, extremes not counted."""
        return sum(result.found.n for result in self.results if result.kind == IMAGES)

    @property
    def top1_agreement(self) -> float:
        """Share of the images, extremes not counted, that keep their first class."""
        return 1 - sum(r.found.top1_changed for r in self.results if r.kind == IMAGES) / max(1, self.n_images)

    def worst(self, field: str, kind: str | None = None) -> float:
        """The largest value of a figure of `Comparison`, such as "max_rel", over all probes of a kind; -inf if none."""
        values = (getattr(r.found, field) for r in self.results if kind in (None, r.kind))
        return max((float(value) for value in values if value is not None), default=float("-inf"))

    def total(self, field: str) -> int:
        """The sum of a count of `Comparison`, such as "new_nans", over all probes."""
        return sum(int(getattr(result.found, field)) for result in self.results)

    @property
    def n_not_judged(self) -> int:
        """Number of probes whose input is ill-conditioned."""
        return sum(not result.judged for result in self.results)

    def failures(self) -> list[str]:
        """One line per probe that failed."""
        return [f"{result.name}: {'; '.join(result.problems)}" for result in self.results if result.problems]

    def summary(self) -> str:
        """The outcome in one line."""
        if not self.results:
            return "failed: nothing was compared"
        images = f"max rel {self.worst('max_rel', IMAGES):.1e}, top-1 {self.top1_agreement:.0%}"
        extremes = [r for r in self.results if r.kind != IMAGES]
        judged = [r.found.max_rel for r in extremes if r.judged]
        verdict = "passed" if self.passed else f"{len(self.failures())} of {len(self.results)} probes failed"
        return (
            f"{verdict}: {self.n_images} images {images}; {len(extremes)} extremes max rel "
            f"{max(judged, default=0.0):.1e}, {self.n_not_judged} ill-conditioned and not judged; "
            f"new NaN {self.total('new_nans')}, undefined in PyTorch {self.total('undefined')}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON, with the verdict and the worst figures first."""
        head = {
            "passed": self.passed,
            "n_images": self.n_images,
            "top1_agreement": self.top1_agreement,
            "max_rel_images": self.worst("max_rel", IMAGES),
            "max_abs_images": self.worst("max_abs", IMAGES),
            "n_not_judged": self.n_not_judged,
        }
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
            values = {field.name: stored[field.name] for field in fields(cls)}
            results = tuple(
                ProbeResult(**r | {"found": _comparison(r["found"]), "problems": tuple(r["problems"])})
                for r in values["results"]
            )
            providers = tuple(values["providers"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OnnxFileError(
                f"There is no readable parity report at {path} ({type(error).__name__}: {error}). "
                f"Export the model again, or write one: zoo validate FILE MODEL --report {path}."
            ) from error
        return cls(**values | {"results": results, "providers": providers})


def report_path(file: str | Path) -> Path:
    """Where the report of an exported file lies: beside it."""
    return Path(f"{file}{SUFFIX}")


def _json_numbers(value: Any) -> Any:
    """JSON knows no infinity: such a number becomes text, "inf", which `float` reads back."""
    if isinstance(value, dict):
        return {key: _json_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_numbers(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _comparison(stored: dict[str, Any]) -> Comparison:
    values: dict[str, Any] = {key: float(v) if isinstance(v, str) else v for key, v in stored.items()}
    return Comparison(**values)

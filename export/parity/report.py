"""The saved outcome of a parity check."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from export.errors import OnnxFileError
from export.parity.compare import Comparison
from export.parity.probes import IMAGES
from zoo._files import write_json

SUFFIX = ".parity.json"


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """One probe: what it was, what was found, what was wrong."""

    name: str
    kind: str
    found: Comparison
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
        first_difference: the first node that differs; empty if all passed or it was not looked for.
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
        """Whether every probe is within tolerance."""
        return not any(result.problems for result in self.results)

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

    def failures(self) -> list[str]:
        """One line per probe that failed."""
        return [f"{result.name}: {'; '.join(result.problems)}" for result in self.results if result.problems]

    def summary(self) -> str:
        """The outcome in one line."""
        images = f"max rel {self.worst('max_rel', IMAGES):.1e}, top-1 {self.top1_agreement:.0%}"
        extremes = [r for r in self.results if r.kind != IMAGES]
        bad = f"{len(self.failures())} of {len(self.results)} probes failed" if not self.passed else "passed"
        return (
            f"{bad}: {self.n_images} images {images}; {len(extremes)} extremes max rel "
            f"{max((r.found.max_rel for r in extremes), default=0.0):.1e}, new NaN {self.worst('new_nans'):.0f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON, with the verdict and the worst figures first."""
        head = {
            "passed": self.passed,
            "n_images": self.n_images,
            "top1_agreement": self.top1_agreement,
            "max_rel_images": self.worst("max_rel", IMAGES),
            "max_abs_images": self.worst("max_abs", IMAGES),
        }
        plain: dict[str, Any] = _json_numbers(head | asdict(self))
        return plain

    def save(self, path: str | Path) -> Path:
        """Write the report as JSON, atomically.

        Raises:
            OutputError: the file cannot be written.
        """
        return write_json(path, self.to_dict())

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
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OnnxFileError(
                f"There is no readable parity report at {path} ({type(error).__name__}: {error}). "
                "Export the model again, or run `zoo validate`."
            ) from error
        return cls(**values | {"results": results, "providers": tuple(values["providers"])})


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

"""The saved record of how accurate a file in 8-bit integers is, and how it came about."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from export.errors import ModelMismatchError, OnnxFileError
from export.quantize.exactness import Exactness
from export.quantize.sensitivity import Sensitivity
from zoo.files import sha256_of
from zoo.records import Record

SUFFIX = ".accuracy.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One file that was measured.

    Args:
        left_in_float32: names of the sites left out.
        right: images whose first class is right; without class numbers, that of the float32 model.
        drop: points of accuracy lost, 100·(float32's right - right) / n; negative for a gain.
    """

    left_in_float32: tuple[str, ...]
    right: int
    drop: float


@dataclass(frozen=True, kw_only=True)
class AccuracyReport(Record):
    """Accuracy cost of 8-bit integers.

    Args:
        model: public name of the model.
        target: name of the export target.
        file_sha256: digest of the file measured.
        budget: points it may lose.
        measure: "Top-1", or "agreement with float32" where the images have no class numbers.
        images: what it was measured on.
        n: how many.
        float32_right: of the float32 model; n where agreement is measured.
        calibration: what the ranges were taken from.
        percentile: share of an activation's values that its range holds.
        tried: signal-to-noise ratio in dB of the logits by percentile, on images the ranges were not taken from.
        sensitivity: each site in integers alone, the worst first.
        attempts: every file measured; the last one is this.
        exactness: ONNX Runtime's integers against the file's definition.
        float32: the parity check of the graph before it was quantised, in one line.
    """

    subject = "accuracy report"
    error = OnnxFileError
    remedy = "Export the model again."
    # The figures before the fields follow from them.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"strict": True, "extra": "ignore"}

    model: str
    target: str
    file_sha256: str
    budget: float
    measure: str
    images: str
    n: int
    float32_right: int
    calibration: str
    percentile: float
    tried: dict[str, float]
    sensitivity: tuple[Sensitivity, ...]
    attempts: tuple[Attempt, ...]
    exactness: Exactness
    float32: str

    @property
    def last(self) -> Attempt:
        """The measurement of the file."""
        return self.attempts[-1]

    @property
    def passed(self) -> bool:
        """True if accuracy is within the budget, and the runtime computes what the file says."""
        return self.last.drop <= self.budget and not self.exactness.problems

    def summary(self) -> str:
        """The outcome in one line."""
        last = self.last
        found = f"{100 * last.right / self.n:.2f} %"
        if self.measure == "Top-1":
            found += f" (float32 {100 * self.float32_right / self.n:.2f} %)"
        return (
            f"{'passed' if self.passed else 'failed'}: {self.measure} {found} on {self.images}, drop "
            f"{last.drop:.2f} points of {self.budget:g} allowed"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON, with the verdict first."""
        head = {"passed": self.passed, "right": self.last.right, "drop": self.last.drop}
        return head | {"left_in_float32": list(self.last.left_in_float32)} | super().to_dict()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved report.

        Raises:
            OnnxFileError: it is missing or damaged.
            ModelMismatchError: it lies beside a file and is not about that.
        """
        report = super().load(path)
        file = Path(str(path).removesuffix(SUFFIX))
        if str(path).endswith(SUFFIX) and file.is_file() and report.file_sha256 != sha256_of(file):
            raise ModelMismatchError(
                f"{path} is not about {file.name}: it is about sha256 {report.file_sha256[:12]}..., the file has "
                f"{sha256_of(file)[:12]}... Export the model again."
            )
        return report


def accuracy_path(file: str | Path) -> Path:
    """Return the path of an exported file's accuracy report, which lies beside it."""
    return Path(f"{file}{SUFFIX}")

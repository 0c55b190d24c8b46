"""From the options of `zoo export` to the images of an export in 8-bit integers."""

from pathlib import Path
from typing import Any

from export.errors import CalibrationError
from zoo.data.vision import load_vision
from zoo.errors import DataNotFoundError, UnknownNameError


def int8_arguments(
    precision: str, dataset: str | None, data: Path | None, calibration: Path | None, budget: float | None
) -> dict[str, Any]:
    """Arguments of `export.export`: calibration, evaluation and budget.

    Ranges come from `calibration` or else from the training split of the data set, accuracy from its split for
    evaluation. A folder of images alone has no class numbers: then agreement is measured on half of its images.

    Args:
        precision: what the file computes in; for any but int8 the options given are passed on, to be refused.
        dataset: name of a data set.
        data: its folder, or one of images.
        calibration: a folder of images.
        budget: points of accuracy.

    Raises:
        CalibrationError: the data set has no training split here.
        ZooError: it cannot be read.
    """
    given = {"calibration": calibration, "budget": budget}
    if precision != "int8" or budget is None:
        return given  # `export` refuses them, before anything is read
    if dataset is None:
        return given | {"calibration": calibration or data}
    return {
        "calibration": calibration or _training_split(dataset, data),
        "evaluation": load_vision(dataset, None, data),
        "budget": budget,
    }


def _training_split(dataset: str, data: Path | None) -> Any:
    try:
        return load_vision(dataset, "train", data)
    except (DataNotFoundError, UnknownNameError) as error:
        raise CalibrationError(
            f"There are no calibration images: {error} Int8 takes the ranges of activations from training images; name "
            "a folder of some hundred with --calibration."
        ) from error


def accuracy_rows(report: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Format the accuracy that `zoo export` prints; nothing for other precisions.

    Args:
        report: `AccuracyReport.to_dict()`.
    """
    if report is None:
        return []
    n, left = report["n"], report["left_in_float32"]
    worst = ", ".join(f"{entry['name']} {entry['signal_to_noise_db']:.0f} dB" for entry in report["sensitivity"][:3])
    tried = ", ".join(f"{share} % {ratio:.1f} dB" for share, ratio in report["tried"].items())
    exact = report["exactness"]
    return [
        (
            "accuracy",
            f"{report['measure']} {100 * report['right'] / n:.2f} %, float32 {100 * report['float32_right'] / n:.2f} %:"
            f" drop {report['drop']:.2f} points of {report['budget']:g} allowed",
        ),
        ("measured on", report["images"]),
        ("calibration", f"{report['calibration']}; ranges that hold {report['percentile']:g} % ({tried})"),
        ("most sensitive", worst),
        ("left in float32", ", ".join(left) or "nothing but what has no integer form"),
        (
            "integers",
            f"{exact['other']:,} of {exact['values']:,} numbers one step from the file's definition, none further",
        ),
    ]

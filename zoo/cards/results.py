"""Contents of `results.json` beside a card's weights: measured figures, and only measured ones.

    {
      "evaluations": [ {"dataset", "split", "top1", "top5", "loss", "n", "classes", ...} ],
      "training":    {"command", "epochs", "seconds", "device", "base_model", "recipe": {...}, ...,
                      "log": [ {"epoch", "train_loss", ...} ]},
      "comparisons": [ {"label", "top1", "top5", "note", "command", "recipe_changes": {...}, "log": [...]} ],
      "geometry":    {"layers": [ {"layer", "kind", "stage", "a", "b", "saturation", "width"} ]},
      "coefficients": {"dataset", "split", "n", "layers": [ {"layer", "channels", "vertical", "horizontal"} ]},
      "notes":       [ "..." ]
    }

Every part may be missing. An evaluation is `EvalResult.to_dict()`: all its further fields are kept. Top-1 and Top-5
are percent. A comparison is another model under the same recipe, or a figure of a paper, as its note says; its log,
the recipe fields in which it differs and the command that repeats it are there if it was run here. Notes are sentences
for the card's section on limits.

For a text model an evaluation is `TextResult.to_dict()`, with `metrics` ({"accuracy": 0.91}, not in percent) in the
place of `top1` and `top5`; so has a comparison. The layers of `coefficients` are `LayerCoefficients.to_dict()`, those
of `geometry` `LayerGeometry.to_dict()`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from zoo.analysis.classes import ClassCounts
from zoo.analysis.coefficients import QUANTILES
from zoo.analysis.geometry import LayerGeometry
from zoo.errors import ConfigurationError

SUMMARY_FILE = "summary.json"
PARTS = {
    "evaluations": list,
    "training": dict,
    "comparisons": list,
    "geometry": dict,
    "coefficients": dict,
    "notes": list,
}
EVALUATION_FIELDS = {"dataset": str, "split": (str, type(None)), "top1": (int, float), "n": int}
COMPARISON_FIELDS = {"label": str, "top1": (int, float)}
METRICS_FIELDS = {"metrics": dict}
COEFFICIENTS_FIELDS = {"dataset": str, "split": (str, type(None)), "n": int, "layers": list}
LAYER_FIELDS = {"layer": str, "channels": int, "vertical": dict, "horizontal": dict}
SPREAD_FIELDS = dict.fromkeys((*QUANTILES, "within"), (int, float))


def check_results(results: Mapping[str, Any], text: bool = False) -> None:
    """Refuse results that a card could not show.

    Args:
        results: the content of `results.json`; {} for none.
        text: whether they are of a text model.

    Raises:
        ConfigurationError: an unknown part, a part of the wrong kind, or a row without its fields; all are named.
    """
    problems = [f"unknown part {key!r}; known: {', '.join(PARTS)}" for key in results if key not in PARTS]
    problems += [f"{k} must be a {t.__name__}" for k, t in PARTS.items() if k in results and type(results[k]) is not t]
    if not problems:
        for part, wanted in (("evaluations", EVALUATION_FIELDS), ("comparisons", COMPARISON_FIELDS)):
            fields = {k: v for k, v in wanted.items() if k != "top1"} | METRICS_FIELDS if text else wanted
            for row, values in enumerate(results.get(part, [])):
                problems += [f"{part}[{row}].{problem}" for problem in _row_problems(values, fields)]
        problems += _optional_problems(results)
        if "geometry" in results:
            problems += [f"geometry.{problem}" for problem in _geometry_problems(results["geometry"])]
        if "coefficients" in results:
            problems += [f"coefficients.{problem}" for problem in _coefficients_problems(results["coefficients"])]
        problems += [f"notes[{i}] must be a text" for i, v in enumerate(results.get("notes", [])) if type(v) is not str]
    if problems:
        raise ConfigurationError(f"The results of a card do not have their form: {'; '.join(problems)}.")


def runtime_of(result: Mapping[str, Any]) -> str:
    """Return the runtime of an evaluation, in a word, such as `torch`."""
    runtime = result.get("runtime")
    return str(runtime.get("kind", "?")) if isinstance(runtime, Mapping) else str(runtime or "?")


def best_counted(results: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first evaluation that counted its classes, PyTorch's before those of exported files; None without one."""
    counted = [result for result in results.get("evaluations", []) if result.get("classes")]
    return next((result for result in counted if runtime_of(result) == "torch"), counted[0] if counted else None)


def size_of(result: Mapping[str, Any]) -> str:
    """The input an evaluation was made with, such as `32x32 px` or `128 tokens`."""
    preprocess = result.get("preprocess") or {}
    if "max_length" in preprocess:
        return f"{preprocess['max_length']} tokens"
    size = preprocess.get("input_size")
    return f"{size[1]}x{size[2]} px" if size else "? px"


def portable(value: Any) -> Any:
    """Nested values with every absolute path in them cut to its last two parts; the rest says nothing elsewhere."""
    if isinstance(value, Mapping):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [portable(item) for item in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return "/".join(Path(value).parts[-2:])
    return value


def without_place(value: Any) -> Any:
    """A setting, with an absolute path cut to "local: FOLDER/NAME"."""
    if isinstance(value, str) and Path(value).is_absolute():
        return f"local: {'/'.join(Path(value).parts[-2:])}"
    return value


def _optional_problems(results: Mapping[str, Any]) -> Iterator[str]:
    """Of fields that a row may leave out: classes of an evaluation, log and command of a comparison."""
    for row, values in enumerate(results.get("evaluations", [])):
        if isinstance(values, Mapping) and values.get("classes") is not None:
            try:
                found = ClassCounts.from_dict(values["classes"])
            except ConfigurationError as error:
                yield f"evaluations[{row}].classes: {error}"
                continue
            if (sum(found.images), sum(found.correct)) != (values.get("n"), values.get("correct1")):
                yield f"evaluations[{row}].classes are not of its n images and its correct1"
    kinds = {"log": list, "recipe_changes": dict, "command": str}
    for row, values in enumerate(results.get("comparisons", [])):
        for name, kind in kinds.items() if isinstance(values, Mapping) else ():
            if values.get(name) is not None and not isinstance(values[name], kind):
                yield f"comparisons[{row}].{name} must be a {kind.__name__}"


def _geometry_problems(values: Mapping[str, Any]) -> Iterator[str]:
    wanted = {field.name: (int, float) if field.type in (float, "float") else str for field in fields(LayerGeometry)}
    problems = _row_problems(values, {"layers": list})
    yield from problems
    for row, layer in enumerate([] if problems else values["layers"]):
        wrong = _row_problems(layer, wanted) or [f"{key} is unknown" for key in layer if key not in wanted]
        yield from (f"layers[{row}].{problem}" for problem in wrong)


def _coefficients_problems(values: Mapping[str, Any]) -> Iterator[str]:
    problems = _row_problems(values, COEFFICIENTS_FIELDS)
    yield from problems
    for row, layer in enumerate([] if problems else values["layers"]):
        wrong = _row_problems(layer, LAYER_FIELDS)
        for name in () if wrong else ("vertical", "horizontal"):
            wrong += [f"{name}.{problem}" for problem in _row_problems(layer[name], SPREAD_FIELDS)]
        yield from (f"layers[{row}].{problem}" for problem in wrong)


def _row_problems(values: Any, wanted: Mapping[str, Any]) -> list[str]:
    if not isinstance(values, Mapping):
        return [f"? must be an object, not {type(values).__name__}"]
    return [
        f"{name} is missing" if name not in values else f"{name} is {values[name]!r}"
        for name, kind in wanted.items()
        if name not in values or not isinstance(values[name], kind)
    ]

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

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, conlist, create_model, model_validator

from zoo.analysis.classes import ClassCounts
from zoo.analysis.coefficients import QUANTILES
from zoo.analysis.geometry import LayerGeometry
from zoo.errors import ConfigurationError
from zoo.records import check

_OPTIONAL = {"log": (list[Any] | None, None), "recipe_changes": (dict[str, Any] | None, None)}


def check_results(results: Mapping[str, Any], text: bool = False) -> None:
    """Refuse results that a card could not show.

    Args:
        results: the content of `results.json`; {} for none.
        text: whether they are of a text model.

    Raises:
        ConfigurationError: an unknown part, a part of the wrong kind, or a row without its fields; all are named.
    """
    try:
        check(_form(text), results)
    except ConfigurationError as error:
        raise ConfigurationError(f"The results of a card do not have their form: {error}.") from error


@cache
def _form(text: bool) -> Any:
    """What pydantic checks results against: each part's fields, a pair where there is a default."""
    figures: dict[str, Any] = {"metrics": dict[str, Any]} if text else {"top1": float}
    measured: dict[str, Any] = {"dataset": str, "split": str | None, "n": int}
    counted = {"classes": (ClassCounts | None, None), "correct1": (Any, None)}
    spread = _object(**dict.fromkeys((*QUANTILES, "within"), float))
    layers = conlist(_object(layer=str, channels=int, vertical=spread, horizontal=spread))
    evaluation = _object(**measured, **figures, **counted, __validators__={"run": _of_one_run})
    comparison = _object(**figures, label=str, command=(str | None, None), **_OPTIONAL)
    return create_model(
        "CardResults",
        __config__=ConfigDict(strict=True, extra="forbid"),
        evaluations=(conlist(evaluation), []),
        training=(dict[str, Any], {}),
        comparisons=(conlist(comparison), []),
        geometry=(_object(layers=list[LayerGeometry]), None),
        coefficients=(_object(**measured, layers=layers), None),
        notes=(list[str], []),
    )


def _object(**fields: Any) -> Any:
    return create_model("Part", __config__=ConfigDict(strict=True, extra="ignore"), **fields)


@model_validator(mode="after")
def _of_one_run(values: Any) -> Any:
    found = values.classes
    if found and (sum(found.images), sum(found.correct)) != (values.n, values.correct1):
        raise ValueError("classes are not of its n images and its correct1")
    return values


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

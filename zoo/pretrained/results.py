"""What `results.json` beside a card's weights holds: measured figures, and only measured ones.

    {
      "evaluations": [ {"dataset", "split", "top1", "top5", "loss", "n", ...} ],
      "training":    {"recipe": {...}, "epochs", "seconds", "device", ..., "log": [ {"epoch", "train_loss", ...} ]},
      "comparisons": [ {"label", "top1", "top5", "note"} ],
      "coefficients": {"dataset", "split", "n", "layers": [ {"layer", "channels", "vertical", "horizontal"} ]},
      "notes":       [ "..." ]
    }

Every part may be missing. An evaluation is `EvalResult.to_dict()`: all its further fields are kept. Top-1 and Top-5
are percent. A comparison is another model under the same recipe, or a figure of a paper, as its note says. Notes are
sentences for the card's section on limits.

For a text model an evaluation is `TextResult.to_dict()`, with `metrics` ({"accuracy": 0.91}, not in percent) in the
place of `top1` and `top5`; so has a comparison. The layers of `coefficients` are `LayerCoefficients.to_dict()`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.analysis.coefficients import QUANTILES
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.pretrained.tag import read_json

SUMMARY_FILE = "summary.json"
PARTS = {"evaluations": list, "training": dict, "comparisons": list, "coefficients": dict, "notes": list}
EVALUATION_FIELDS = {"dataset": str, "split": (str, type(None)), "top1": (int, float), "n": int}
COMPARISON_FIELDS = {"label": str, "top1": (int, float)}
METRICS_FIELDS = {"metrics": dict}
COEFFICIENTS_FIELDS = {"dataset": str, "split": (str, type(None)), "n": int, "layers": list}
LAYER_FIELDS = {"layer": str, "channels": int, "vertical": dict, "horizontal": dict}
SPREAD_FIELDS = dict.fromkeys((*QUANTILES, "within"), (int, float))
# What a fine-tuning run's summary says besides recipe and log, and what its log says of speed.
_FACTS = ("seconds", "texts", "data", "device", "hardware", "environment", "results", "finished", "versions")
_SPEEDS = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")


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
        if "coefficients" in results:
            problems += [f"coefficients.{problem}" for problem in _coefficients_problems(results["coefficients"])]
        problems += [f"notes[{i}] must be a text" for i, v in enumerate(results.get("notes", [])) if type(v) is not str]
    if problems:
        raise ConfigurationError(f"The results of a card do not have their form: {'; '.join(problems)}.")


def runtime_of(result: Mapping[str, Any]) -> str:
    """What ran an evaluation, in a word, such as `torch`."""
    runtime = result.get("runtime")
    return str(runtime.get("kind", "?")) if isinstance(runtime, Mapping) else str(runtime or "?")


def size_of(result: Mapping[str, Any]) -> str:
    """The input an evaluation was made with, such as `32x32 px` or `128 tokens`."""
    preprocess = result.get("preprocess") or {}
    if "max_length" in preprocess:
        return f"{preprocess['max_length']} tokens"
    size = preprocess.get("input_size")
    return f"{size[1]}x{size[2]} px" if size else "? px"


def training_record(run: str | Path) -> dict[str, Any]:
    """The part `training` of a card's results, from what `zoo train` left in its output folder.

    Args:
        run: the folder with summary.json and log.jsonl.

    Raises:
        WeightsNotFoundError: one of the two is missing: the run is not finished, or it is another folder.
    """
    summary_file, log_file = Path(run) / SUMMARY_FILE, Path(run) / "log.jsonl"
    for file in (summary_file, log_file):
        if not file.is_file():
            raise WeightsNotFoundError(f"{file} is missing: {run} is not the folder of a finished `zoo train` run.")
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
    log = [json.loads(line) for line in log_file.read_text(encoding="utf-8").splitlines()]
    return {
        "epochs": len(log),
        "seconds": round(summary["wall_clock_s"]),
        "weights": summary["weights"],
        "data": summary["data"],
        **summary["environment"],
        "recipe": summary["recipe"],
        "log": log,
    }


def finetuning_record(run: str | Path) -> dict[str, Any]:
    """The part `training` of a text card's results, from the summary.json that `zoo finetune` left in its folder.

    A start or tokenizer at an absolute path is written as "local: FOLDER/NAME"; the rest says nothing elsewhere.

    Args:
        run: the folder.

    Raises:
        WeightsNotFoundError: there is no summary: the run is not finished, or it is another folder.
        WeightsCorruptError: it is not JSON.
    """
    file = Path(run) / SUMMARY_FILE
    if not file.is_file():
        raise WeightsNotFoundError(f"{file} is missing: {run} is not the folder of a finished `zoo finetune` run.")
    summary = read_json(file)
    taken = {key: summary[key] for key in _FACTS if key in summary}
    if "seconds" in taken:
        taken["seconds"] = round(taken["seconds"])
    recipe = dict(summary["recipe"])
    if "model" in recipe:
        recipe["model"] = {key: without_place(value) for key, value in recipe["model"].items()}
    epochs = recipe.get("schedule", {}).get("epochs")
    return {"epochs": epochs, **taken, "recipe": recipe, "log": list(_log(summary.get("log", [])))}


def without_place(value: Any) -> Any:
    """A setting, with an absolute path cut to "local: FOLDER/NAME"."""
    if isinstance(value, str) and Path(value).is_absolute():
        return f"local: {'/'.join(Path(value).parts[-2:])}"
    return value


def _log(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """transformers' log under the names of ours: losses while training, metrics of the evaluation split."""
    for row in rows:
        if "loss" in row:
            yield {"epoch": row["epoch"], "train_loss": row["loss"]}
        measured = {f"val_{key[5:]}": row[key] for key in row if key.startswith("eval_") and key not in _SPEEDS}
        if measured:
            yield {"epoch": row["epoch"], **measured}


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

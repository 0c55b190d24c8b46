"""Output of a run: the part `training` of a card's results, and what `adopt` must know of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards.papers import paper_figure
from zoo.cards.results import portable, without_place
from zoo.data.preprocess import Preprocess
from zoo.documents import json_lines_in
from zoo.errors import ConfigurationError, WeightsNotFoundError
from zoo.weights.run_folder import LOG_FILE, SUMMARY_FILE, find_run_folder, run_base, understood
from zoo.weights.tag import WEIGHTS_FILE, read_json
from zoo.weights.tag_rules import MODEL_ARGS

TRAINING_ARGS = frozenset(
    [
        *("salu_init", "gate_init", "quasi_linear_shortcut", "zero_init_last", "weight_init", "pretrained_cfg"),
        *("drop_rate", "drop_path_rate", "drop_block_rate", "attn_drop_rate", "proj_drop_rate", "pos_drop_rate"),
        *("dynamic_img_size", "dynamic_img_pad"),  # other sizes as well, and the same at the model's own
    ]
)
"""Builder arguments that decide how training starts or goes, or what goes in; not what is computed of it."""
# What a fine-tuning run's summary says besides recipe and log, and what its log says of speed.
_FACTS = ("seconds", "texts", "data", "device", "hardware", "environment", "results", "finished", "versions")
_SPEEDS = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")


def training_record(run: str | Path) -> dict[str, Any]:
    """The part `training` of a card's results, from what `zoo train` left in its output folder.

    Args:
        run: the folder with summary.json and log.jsonl.

    Raises:
        WeightsNotFoundError: one of the two is missing: the run is not finished, or it is another folder.
        WeightsCorruptError: one of them is damaged.
    """
    summary_file, log_file = Path(run) / SUMMARY_FILE, Path(run) / LOG_FILE
    for file in (summary_file, log_file):
        if not file.is_file():
            raise WeightsNotFoundError(f"{file} is missing: {run} is not the folder of a finished `zoo train` run.")
    summary = read_json(summary_file)
    with understood(run):
        log = json_lines_in(log_file)
        about = portable({key: value for key, value in summary["data"].items() if key != "labels"})
        facts = {"epochs": len(log), "seconds": round(summary["wall_clock_s"]), "weights": summary["weights"]}
        return {**facts, "data": about, **summary["environment"], "recipe": summary["recipe"], "log": log}


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
    with understood(run):
        taken = {key: portable(summary[key]) for key in _FACTS if key in summary}
        if "seconds" in taken:
            taken["seconds"] = round(taken["seconds"])
        recipe = dict(summary["recipe"])
        if "model" in recipe:
            recipe["model"] = {key: without_place(value) for key, value in recipe["model"].items()}
        epochs = recipe.get("schedule", {}).get("epochs")
        return {"epochs": epochs, **taken, "recipe": recipe, "log": list(_log(summary.get("log", [])))}


@dataclass(frozen=True)
class TrainedRun:
    """The folder of a finished `zoo train` run, as `adopt` takes it.

    Args:
        folder: the folder.
        model: the architecture.
        dataset: what it was trained on.
        labels: class names in order; empty if unknown.
        model_args: builder arguments a card records.
        preprocess: of the trained model.
        recipe: name of the recipe.
        record: see `training_record`.
    """

    folder: Path
    model: str
    dataset: str
    labels: tuple[str, ...]
    model_args: dict[str, Any]
    preprocess: Preprocess
    recipe: str
    record: dict[str, Any]

    @property
    def weights(self) -> Path:
        """Its weights file."""
        return self.folder / WEIGHTS_FILE

    @property
    def results(self) -> dict[str, Any]:
        """First results of its card: its record, and what the paper reports for the same model and data."""
        reported = paper_figure(self.model, self.dataset)
        return {"training": self.record} | ({"comparisons": [reported]} if reported else {})

    def check_model(self, asked: str | None) -> str:
        """The model's name.

        Raises:
            ConfigurationError: another one was asked for.
        """
        if asked not in (None, self.model):
            raise ConfigurationError(f"{self.folder} trained {self.model}, not {asked}. Leave --model out.")
        return self.model


def find_run(path: str | Path) -> TrainedRun | None:
    """The run of `zoo train` whose folder or weights file `path` is, or None.

    Raises:
        ZooError: as `open_run` does, for a run that is not finished.
    """
    folder = find_run_folder(path)
    return None if folder is None else open_run(folder)


def finetuned_as(folder: str | Path) -> tuple[str, str]:
    """Model and task of a run of `zoo finetune`; ("", "") where its folder does not say."""
    file = Path(folder) / SUMMARY_FILE
    with understood(folder):
        recipe = read_json(file).get("recipe", {}) if file.is_file() else {}
        return str(recipe.get("model", {}).get("name") or ""), str(recipe.get("data", {}).get("task") or "")


def open_run(folder: str | Path) -> TrainedRun:
    """Read a finished run.

    Raises:
        WeightsNotFoundError: it is not finished, or no run of `zoo train`.
        WeightsCorruptError: its summary is damaged.
        ConfigurationError: the recipe built its model with arguments that a card cannot record.
    """
    place = Path(folder)
    record = training_record(place)
    summary = read_json(place / SUMMARY_FILE)
    base, _, _ = run_base(place)
    if base["kind"] != "zoo":
        raise ConfigurationError(
            f"{place} holds a network of kind {base['kind']!r}; a card is for models of the zoo. The folder "
            "itself is a name that every command takes."
        )
    args = {key: value for key, value in base["arguments"].items() if key not in ("num_classes", "in_chans")}
    recorded = {key: args.pop(key) for key in tuple(args) if key in MODEL_ARGS}
    unknown = sorted(args.keys() - TRAINING_ARGS)
    if unknown:
        raise ConfigurationError(
            f"{place} was trained with model.args {', '.join(unknown)}, which a card cannot record; it can: "
            f"{', '.join(MODEL_ARGS)}."
        )
    with understood(place):
        data = summary["data"]
        labels, preprocess = tuple(data.get("labels") or ()), Preprocess.from_dict(data["preprocess"])
        recipe = summary["recipe_name"]
        return TrainedRun(place, base["name"], data["dataset"], labels, recorded, preprocess, recipe, record)


def _log(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """transformers' log under the names of ours: losses while training, metrics of the evaluation split."""
    for row in rows:
        if "loss" in row:
            yield {"epoch": row["epoch"], "train_loss": row["loss"]}
        measured = {f"val_{key[5:]}": row[key] for key in row if key.startswith("eval_") and key not in _SPEEDS}
        if measured:
            yield {"epoch": row["epoch"], **measured}

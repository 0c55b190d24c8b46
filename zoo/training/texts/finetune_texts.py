"""`finetune_texts`: from a recipe to a folder that transformers and `zoo adopt` read."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from zoo.data.glue import GLUE, GlueSplit, GlueTask, load_glue
from zoo.data.own_texts import OWN, open_own_texts
from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError
from zoo.files import write_json
from zoo.models.quiet import quiet_transformers
from zoo.training.begun import begun
from zoo.training.processes import Devices, find_devices
from zoo.training.reporter import Reporter
from zoo.training.resume import check_same
from zoo.training.seeds import seed_everything
from zoo.training.texts.finetuning_checks import check_devices, look_into
from zoo.training.texts.finetuning_recipe import FinetuneRecipe, load_finetune_recipe
from zoo.training.texts.resume_finetuning import Checkpoint, find, identify, remove
from zoo.training.texts.save import remove_leftovers, save_model, writing
from zoo.training.texts.start import start_model
from zoo.training.texts.tokenized_texts import check_tokenizer, open_tokenizer, subset, tokenize
from zoo.weights.run_folder import RECIPE_FILE, SUMMARY_FILE

if TYPE_CHECKING:
    from transformers import Trainer


@dataclass(frozen=True)
class FinetuneResult:
    """Result of a finished run.

    Args:
        output: its folder: weights, configuration and tokenizer as transformers keeps them, recipe.json, summary.json.
        model: the fine-tuned network in evaluation mode.
        summary: what summary.json holds: recipe, data, results, times, versions.
        main: whether this process is the one that wrote the files.
    """

    output: Path
    model: nn.Module
    summary: dict[str, Any]
    main: bool = True


def finetune_texts(
    recipe: FinetuneRecipe | str | Path,
    *,
    data: str | Path | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    show_progress: bool = True,
) -> FinetuneResult:
    """Fine-tune a text encoder on a GLUE task by `recipe`, with transformers' Trainer.

    The folder receives a checkpoint after each epoch, all removed at the end; the same call with `resume=True` goes on
    from the last one as if nothing had happened. What is refused leaves no folder behind, nor does a run whose first
    checkpoint cannot be written. The weights are saved before
    they are measured: where a correlation is not defined, such as for scores that are all equal, the summary says so
    under "unmeasured" instead of giving results.

    Seeds torch's, numpy's and Python's global generators. Started by `accelerate launch` or `torchrun`, the processes
    share each batch.

    Args:
        recipe: a `FinetuneRecipe`, the name of a shipped one, or a file.
        data: a local folder of GLUE with a folder per task, None fetches from the Hub; for the task "own" a file or
            folder of texts, see `zoo.data.own_texts`.
        output: folder of the run; None takes runs/<recipe>_<task>_<act>_<seed>.
        resume: go on from the folder's last checkpoint; without one the run starts at its beginning.
        device: "cpu", "cuda" or "mps"; None takes the best available. CUDA_VISIBLE_DEVICES chooses among GPUs.
        show_progress: draw a bar, or lines where there is no terminal.

    Raises:
        RecipeError: the recipe is wrong; or recipe, data or number of processes are not those of the run to be resumed.
        ConfigurationError: the device is not here, or cannot compute in the recipe's precision; start, tokenizer and
            model do not fit each other.
        DataNotFoundError: the task's files are missing.
        DivergedError: the loss is no longer finite.
        OutputError: the folder cannot be written; or it already holds something and `resume` is False; or its run is
            finished and `resume` is True.
        UnknownNameError: no such task or model.
        WeightsNotFoundError: there is no pretrained encoder or tokenizer at the start.
        WeightsMismatchError: the start lacks weights of the encoder.
        WeightsCorruptError: the start's weights or a checkpoint cannot be read.
    """
    recipe = recipe if isinstance(recipe, FinetuneRecipe) else load_finetune_recipe(recipe)
    folder = text_run_folder(recipe, output)
    devices = find_devices(device)
    check_devices(recipe, devices)
    saved = look_into(folder, resume, devices)
    task, splits = _open_splits(recipe, data)
    identity = identify(recipe, splits, devices.world)
    if saved is not None:
        check_same(saved.folder, saved.identity, identity)
    job = _Job(recipe, task, folder, devices, identity, resume, saved, show_progress and devices.main)
    with quiet_transformers(), begun(folder, lambda: find(folder), devices.main):
        trainer = _prepare(job, splits)
        start = time.monotonic() - (saved.seconds if saved else 0.0)

        def clock() -> float:
            return time.monotonic() - start

        _train(job, trainer, clock)
        return _finish(job, trainer, clock)


def _open_splits(recipe: FinetuneRecipe, data: str | Path | None) -> tuple[GlueTask, dict[str, GlueSplit]]:
    if recipe.data.task == OWN:
        task, learned, measured = open_own_texts(data, recipe.data.eval_fraction, recipe.runtime.seed)
        return task, {"train": learned, "evaluation": measured}
    task = GLUE.get(recipe.data.task)
    return task, {
        "train": load_glue(task.name, "train", data),
        "evaluation": load_glue(task.name, task.evaluation, data),
    }


@dataclass(frozen=True)
class _Job:
    """Context that every part of one run needs."""

    recipe: FinetuneRecipe
    task: GlueTask
    folder: Path
    devices: Devices
    identity: dict[str, Any]
    resume: bool
    saved: Checkpoint | None
    show: bool


def text_run_folder(recipe: FinetuneRecipe, output: str | Path | None) -> Path:
    """The folder asked for, or one below runs/ named after recipe, task, activation and seed."""
    usual = f"{recipe.name}_{recipe.data.task}_{recipe.model.act}_{recipe.runtime.seed}"
    return Path(output if output is not None else Path("runs") / usual).absolute()


def _prepare(job: _Job, splits: Mapping[str, GlueSplit]) -> "Trainer":
    """Everything that can be refused, and the Trainer, which makes the folder."""
    from zoo.training.texts.trainer import make_trainer

    recipe, task = job.recipe, job.task
    seed_everything(recipe.runtime.seed)
    model = start_model(recipe.model, task.num_outputs, recipe.runtime.attention)
    _name_labels(model, task)
    tokenizer = open_tokenizer(recipe.model)
    check_tokenizer(tokenizer, recipe, model.config)
    chosen = {**splits, "train": subset(splits["train"], recipe.data)}
    texts = {use: tokenize(table, task, tokenizer, recipe.data.max_length) for use, table in chosen.items()}
    return make_trainer(recipe, task, model, texts, tokenizer, job.folder, job.devices)


def _name_labels(model: nn.Module, task: GlueTask) -> None:
    config: Any = model.config
    if task.labels:
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: number for number, label in enumerate(task.labels)}
    config.problem_type = "single_label_classification" if task.labels else "regression"


def _train(job: _Job, trainer: "Trainer", clock: Callable[[], float]) -> None:
    from zoo.training.texts.trainer import Watch

    job.devices.wait()  # until every process has looked into the folder
    if job.devices.main:
        write_json(job.folder / RECIPE_FILE, job.recipe.to_dict())
        remove_leftovers(job.folder)
    runtime, saved = job.recipe.runtime, job.saved
    steps = math.ceil(len(trainer.train_dataset) / runtime.batch_size) * job.recipe.schedule.epochs
    with Reporter(steps, saved.step if saved else 0, job.show, unit="texts") as reporter, writing(job.folder):
        if job.resume:
            reporter.say(f"Going on at step {saved.step}." if saved else f"No checkpoint in {job.folder}; at step 0.")
        trainer.add_callback(Watch(job.folder, job.identity, clock, job.devices, reporter))
        trainer.train(resume_from_checkpoint=str(saved.folder) if saved else None)


def _finish(job: _Job, trainer: "Trainer", clock: Callable[[], float]) -> FinetuneResult:
    """Save as transformers does, measure, write the summary and drop the checkpoints."""
    model: nn.Module = trainer.model.eval()
    if job.devices.main:
        save_model(model, trainer.processing_class, job.folder)
    summary = {
        "recipe_name": job.recipe.name,
        "recipe": job.recipe.to_dict(),
        "texts": {"train": len(trainer.train_dataset), "evaluation": len(trainer.eval_dataset)},
        "metrics": list(job.task.metrics),
        **_measured(trainer),
        "log": [{k: v for k, v in row.items() if math.isfinite(v)} for row in trainer.state.log_history],
        "seconds": clock(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"{job.devices.device.type} ({hardware(job.devices.device)})",
        "processes": job.devices.world,
        "versions": library_versions(),
    }
    if job.devices.main:
        write_json(job.folder / SUMMARY_FILE, summary)
        remove(job.folder)
    job.devices.wait()
    return FinetuneResult(job.folder, model, summary, job.devices.main)


def _measured(trainer: "Trainer") -> dict[str, Any]:
    """The results; where a metric is not defined none, and why."""
    try:
        found = trainer.evaluate()
    except ConfigurationError as error:
        return {"results": {}, "unmeasured": str(error)}
    return {"results": {k.removeprefix("eval_"): v for k, v in found.items() if k.startswith("eval_")}}

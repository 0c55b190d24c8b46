"""`finetune`: from a recipe to a folder that transformers and `zoo adopt` read."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo._environment import library_versions
from zoo._files import check_writable, write_json
from zoo.data.glue import GLUE, GlueTask, load_glue
from zoo.errors import DivergedError, OutputError
from zoo.evaluation.glue import official_metrics
from zoo.finetuning.groups import build_optimizer
from zoo.finetuning.recipe import FinetuneRecipe
from zoo.finetuning.start import start_model
from zoo.finetuning.texts import open_tokenizer, subset, tokenize

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments

RECIPE, SUMMARY, WEIGHTS = "recipe.json", "summary.json", "model.safetensors"


@dataclass(frozen=True)
class FinetuneResult:
    """What a finished run leaves.

    Args:
        output: its folder: weights, configuration and tokenizer as transformers keeps them, recipe.json, summary.json.
        model: the fine-tuned network in evaluation mode.
        summary: what summary.json holds: recipe, data, results, times, versions.
    """

    output: Path
    model: nn.Module
    summary: dict[str, Any]


def finetune(
    recipe: FinetuneRecipe,
    *,
    data: str | Path | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    show_progress: bool = True,
) -> FinetuneResult:
    """Fine-tune a text encoder on a GLUE task by `recipe`, with transformers' Trainer.

    The folder receives a checkpoint after each epoch, removed at the end. Seeds torch's, numpy's and Python's global
    generators.

    Args:
        recipe: from `load_finetune_recipe`.
        data: a local folder of GLUE with a folder per task; None fetches from the Hub.
        output: folder of the run; None takes runs/<recipe>_<task>_<act>_<seed>.
        resume: go on from the folder's last checkpoint; without one the run starts at its beginning.
        device: "cpu" or "cuda"; None takes the best available.
        show_progress: draw a bar.

    Raises:
        ConfigurationError: the start does not fit the model.
        DataNotFoundError: the task's files are missing.
        DivergedError: the loss is no longer finite.
        OutputError: the folder cannot be written, or already holds a run and `resume` is False.
        WeightsNotFoundError: there is no pretrained encoder or tokenizer at the start.
    """
    task, folder = GLUE.get(recipe.data.task), _folder(recipe, output)
    _look_into(folder, resume)
    splits = {name: load_glue(task.name, name, data) for name in ("train", task.evaluation)}
    with _bars(show_progress):
        return _run(recipe, task, folder, splits, resume, device, show_progress)


@contextmanager
def _bars(show: bool) -> Iterator[None]:
    """transformers draws bars while it loads and saves; not where none are wanted."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if not show:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _run(
    recipe: FinetuneRecipe,
    task: GlueTask,
    folder: Path,
    splits: dict[str, Any],
    resume: bool,
    device: str | None,
    show: bool,
) -> FinetuneResult:
    from transformers import set_seed

    tokenizer = open_tokenizer(recipe.model)
    cut = recipe.data.max_length
    train = tokenize(subset(splits["train"], recipe.data), task, tokenizer, cut)
    evaluation = tokenize(splits[task.evaluation], task, tokenizer, cut)
    set_seed(recipe.runtime.seed)
    model = start_model(recipe.model, task.num_outputs, recipe.runtime.attention)
    _name_labels(model, task)
    arguments = _arguments(recipe, folder, device, show)
    trainer = _trainer(recipe, model, arguments, train, evaluation, tokenizer, task)
    write_json(folder / RECIPE, recipe.to_dict())
    start = time.monotonic()
    trainer.train(resume_from_checkpoint=resume and bool(list(folder.glob("checkpoint-*"))))
    trainer.evaluate()
    seconds = time.monotonic() - start
    return _finish(recipe, task, trainer, folder, seconds, {"train": len(train), "evaluation": len(evaluation)})


def _folder(recipe: FinetuneRecipe, output: str | Path | None) -> Path:
    usual = f"{recipe.name}_{recipe.data.task}_{recipe.model.act}_{recipe.runtime.seed}"
    return Path(output if output is not None else Path("runs") / usual).absolute()


def _look_into(folder: Path, resume: bool) -> None:
    if not resume and (folder / RECIPE).exists():
        raise OutputError(f"{folder} already holds a run. Resume it (--resume), or choose another folder (--output).")
    check_writable(folder / RECIPE)


def _name_labels(model: nn.Module, task: GlueTask) -> None:
    config: Any = model.config
    if task.labels:
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: number for number, label in enumerate(task.labels)}
    config.problem_type = "single_label_classification" if task.labels else "regression"


def _arguments(recipe: FinetuneRecipe, folder: Path, device: str | None, show: bool) -> "TrainingArguments":
    from transformers import TrainingArguments

    runtime = recipe.runtime
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=runtime.batch_size,
        per_device_eval_batch_size=runtime.eval_batch_size,
        num_train_epochs=recipe.schedule.epochs,
        warmup_steps=recipe.schedule.warmup,
        lr_scheduler_type="linear",
        learning_rate=recipe.optimizer.lr,
        max_grad_norm=recipe.optimizer.clip_norm,
        bf16=runtime.precision == "bfloat16",
        fp16=runtime.precision == "float16",
        use_cpu=device == "cpu" or (device is None and not torch.accelerator.is_available()),
        seed=runtime.seed,
        train_sampling_strategy="group_by_length" if runtime.group_by_length else "random",
        length_column_name="length",
        eval_strategy="no",
        save_strategy="epoch",
        save_total_limit=1,
        logging_steps=50,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=not show,
    )


def _trainer(
    recipe: FinetuneRecipe,
    model: nn.Module,
    arguments: "TrainingArguments",
    train: Any,
    evaluation: Any,
    tokenizer: Any,
    task: GlueTask,
) -> "Trainer":
    from transformers import DataCollatorWithPadding, PrinterCallback, Trainer

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=evaluation,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=_measure(task),
        optimizers=(build_optimizer(model, recipe.optimizer), None),
    )
    trainer.remove_callback(PrinterCallback)  # it prints on stdout, which belongs to the result
    return trainer


def _measure(task: GlueTask) -> Callable[[Any], dict[str, float]]:
    def measure(found: Any) -> dict[str, float]:
        return official_metrics(task, torch.as_tensor(found.predictions), torch.as_tensor(found.label_ids))

    return measure


def _finish(
    recipe: FinetuneRecipe, task: GlueTask, trainer: "Trainer", folder: Path, seconds: float, counts: dict[str, int]
) -> FinetuneResult:
    """Save as transformers does, then write the summary and drop the checkpoints."""
    import shutil

    rows = trainer.state.log_history
    losses = [row["loss"] for row in rows if "loss" in row]
    if not all(torch.isfinite(torch.tensor(losses))):
        raise DivergedError(f"Fine-tuning diverged: the loss is not finite in {folder}. Try a lower optimizer.lr.")
    results = {k.removeprefix("eval_"): v for k, v in rows[-1].items() if k.startswith("eval_")}
    summary = {
        "recipe_name": recipe.name,
        "recipe": recipe.to_dict(),
        "texts": counts,
        "metrics": list(task.metrics),
        "results": results,
        "log": rows,
        "seconds": seconds,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
    }
    trainer.save_model(str(folder))
    write_json(folder / SUMMARY, summary)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    return FinetuneResult(folder, trainer.model.eval(), summary)

"""transformers' Trainer set up for a recipe, and what goes on beside it: progress, divergence, marks of checkpoints."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    DataCollatorWithPadding,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from zoo.data.glue import GlueTask
from zoo.errors import ConfigurationError, DivergedError
from zoo.evaluation.glue_metrics import official_metrics
from zoo.training.processes import Devices
from zoo.training.reporter import Reporter
from zoo.training.texts.finetuning_groups import build_optimizer
from zoo.training.texts.finetuning_recipe import FinetuneRecipe
from zoo.training.texts.resume_finetuning import mark


class FlesTrainer(Trainer):  # type: ignore[misc]
    """transformers' Trainer; by itself it would decay FleS's vectors, for it goes by parts of names, such as "bias"."""

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """Those of transformers without what the model names in `no_weight_decay()`."""
        spared = model.no_weight_decay()  # type: ignore[operator]
        return [name for name in super().get_decay_parameter_names(model) if name not in spared]


def make_trainer(
    recipe: FinetuneRecipe,
    task: GlueTask,
    model: nn.Module,
    texts: dict[str, Any],
    tokenizer: Any,
    folder: Path,
    devices: Devices,
) -> Trainer:
    """The Trainer of one run. It saves after each epoch, keeps every checkpoint, prints nothing and asks no server.

    Args:
        recipe: of the run.
        task: what is measured.
        model: to be trained in place.
        texts: `tokenize`d, under "train" and "evaluation".
        tokenizer: fills the batches up.
        folder: for checkpoints; created.
        devices: where it computes.

    Raises:
        ConfigurationError: the device cannot compute in the recipe's precision.
    """
    trainer = Trainer(
        model=model,
        args=_arguments(recipe, folder, devices),
        train_dataset=texts["train"],
        eval_dataset=texts["evaluation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=_measure(task),
        optimizers=(build_optimizer(model, recipe.optimizer), None),
    )
    for printing in (PrinterCallback, ProgressCallback):  # both print on stdout, which belongs to the result
        trainer.remove_callback(printing)
    return trainer


def _arguments(recipe: FinetuneRecipe, folder: Path, devices: Devices) -> TrainingArguments:
    runtime = recipe.runtime
    try:
        arguments = TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=runtime.batch_size // devices.world,
            per_device_eval_batch_size=runtime.eval_batch_size,
            num_train_epochs=recipe.schedule.epochs,
            warmup_steps=recipe.schedule.warmup,
            lr_scheduler_type="linear",
            learning_rate=recipe.optimizer.lr,
            max_grad_norm=recipe.optimizer.clip_norm,
            bf16=runtime.precision == "bfloat16",
            fp16=runtime.precision == "float16",
            use_cpu=devices.device.type == "cpu",
            seed=runtime.seed,
            train_sampling_strategy="group_by_length" if runtime.group_by_length else "random",
            length_column_name="length",
            # BERT's loss is a mean already; transformers would multiply it by the number of processes.
            average_tokens_across_devices=False,
            eval_strategy="no",
            save_strategy="epoch",
            logging_steps=50,
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
        )
        found = arguments.device
    except ValueError as error:
        raise ConfigurationError(f"runtime.precision: {runtime.precision} on {devices.device}: {error}") from error
    if found.type != devices.device.type:
        raise ConfigurationError(
            f"Asked for device {devices.device}, transformers takes {found}. Check ACCELERATE_USE_CPU and "
            "ACCELERATE_TORCH_DEVICE."
        )
    # With several GPUs in view of one process, transformers would share each batch among all of them.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _measure(task: GlueTask) -> Callable[[Any], dict[str, float]]:
    def measure(found: Any) -> dict[str, float]:
        return official_metrics(task, torch.as_tensor(found.predictions), torch.as_tensor(found.label_ids))

    return measure


class Watch(TrainerCallback):  # type: ignore[misc]
    """Follows a run.

    Args:
        folder: of the run.
        identity: goes into the mark of each checkpoint.
        clock: seconds since the run began, those before it was resumed included.
        devices: of the run.
        reporter: shows the steps.
    """

    def __init__(
        self, folder: Path, identity: dict[str, Any], clock: Callable[[], float], devices: Devices, reporter: Reporter
    ) -> None:
        self.folder, self.identity, self.clock, self.devices, self.reporter = folder, identity, clock, devices, reporter
        self.loss: float | None = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Show the step, with the last loss that was logged."""
        self.reporter.step(self.loss, args.train_batch_size * self.devices.world)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **kwargs: object,
    ) -> None:
        """Stop at the first loss that is not finite.

        Raises:
            DivergedError: there is one.
        """
        self.loss = logs.get("loss", self.loss)
        losses = [logs[name] for name in ("loss", "train_loss", "eval_loss") if name in logs]
        if not all(map(math.isfinite, losses)):
            raise DivergedError(
                f"Fine-tuning diverged: up to step {state.global_step} the loss became {losses[0]}. Try a lower "
                "optimizer.lr, in another folder."
            )

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Let all processes draw the same order of texts; dropout drew differently in each."""
        if self.devices.world > 1:
            torch.manual_seed(args.seed + state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Mark the checkpoint once every process has written its part."""
        self.devices.wait()
        if self.devices.main:
            mark(self.folder, state.global_step, self.identity, self.clock())

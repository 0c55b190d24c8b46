"""The training loop: steps, epochs, measurements, checkpoints."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.activations.parameters import activation_parameters, project_parameters
from zoo.errors import DivergedError
from zoo.files import write_tensors
from zoo.training.images.checkpoint import pack_optimizer, prefixed, save_checkpoint, select, unpack_optimizer
from zoo.training.images.image_loaders import TrainingImages
from zoo.training.images.log import Meter, Progress, append_row, rewind
from zoo.training.images.measure import exchanged, measure
from zoo.training.images.objective import Objective
from zoo.training.images.optimise import Clipper, Float32, build_optimizer, build_scheduler
from zoo.training.images.step_plan import Part, make_plan
from zoo.training.processes import Devices
from zoo.training.recipe import Recipe
from zoo.training.reporter import Reporter
from zoo.training.seeds import Purpose, derive
from zoo.weights.load import read_weights
from zoo.weights.run_folder import LOG_FILE

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
StepHook = Callable[[Progress], None]


class Trainer:
    """One run: a model, its data, and everything that changes while it learns.

    Args:
        recipe: what to do.
        model: fresh weights, any device.
        train, evaluation: the two splits.
        classes: number of classes.
        devices: where to compute.
        output: folder for checkpoint and log; `run` expects it to exist.
        identity: what `zoo.training.resume.identify` says of the run; goes into every checkpoint.
        on_step: called after each optimiser step with the progress so far.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        train: TrainingImages,
        evaluation: TrainingImages,
        classes: int,
        devices: Devices,
        output: Path,
        identity: dict[str, Any],
        on_step: StepHook | None = None,
    ) -> None:
        from timm.utils import ModelEmaV3

        self.recipe, self.devices, self.output = recipe, devices, output
        self.identity, self.on_step = identity, on_step
        self.train, self.evaluation = train, evaluation
        self.format = torch.channels_last if recipe.runtime.channels_last else torch.contiguous_format
        self.model = model.to(devices.device).to(memory_format=self.format)
        self.plan = make_plan(recipe, len(train), devices)
        self.objective = Objective(recipe, classes)
        self.optimizer = build_optimizer(self.model, recipe.optimizer)
        self.scheduler = build_scheduler(self.optimizer, recipe, self.plan.steps)
        self.clip = Clipper(self.optimizer, recipe.optimizer)
        self.scaler = torch.amp.GradScaler(devices.device.type, enabled=recipe.runtime.precision == "float16")
        r = recipe.regularisation
        average = {"use_warmup": r.ema_warmup, "warmup_power": r.ema_warmup_power}
        self.ema = ModelEmaV3(self.model, decay=r.ema_decay, **average) if r.ema_decay else None
        self.bounded = list(activation_parameters(self.model).values())
        self.wrapped = devices.distribute(self.model)
        self.forward, self.forward_alone = self._compiled(self.wrapped), self._compiled(self.model)
        self.progress = Progress()
        self.meter = Meter(devices)
        self.on_epoch: Callable[[dict[str, Any]], None] = lambda row: None

    def run(self, reporter: Reporter) -> Progress:
        """Train to the last epoch, from wherever `progress` stands.

        Raises:
            DivergedError: loss or gradient became infinite or NaN.
            OutputError: checkpoint or log cannot be written.
        """
        if self.devices.main:
            rewind(self.output / LOG_FILE, self.progress.epoch)
        while self.progress.epoch < self.recipe.schedule.epochs and not self._without_gain():
            self._run_epoch(reporter)
        if self.progress.epoch < self.recipe.schedule.epochs:
            reporter.say(f"Stopped: no higher Top-1 than that of epoch {self.progress.best_epoch} since.")
        return self.progress

    def _without_gain(self) -> bool:
        patience, progress = self.recipe.schedule.patience, self.progress
        return bool(patience) and progress.epoch - progress.best_epoch >= patience

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Put everything back as `save` stored it."""
        self.model.load_state_dict(select(tensors, "model."))
        if self.ema is not None:
            self.ema.module.load_state_dict(select(tensors, "ema."))
        unpack_optimizer(self.optimizer, tensors, state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.progress = Progress(**state["progress"])
        # The rate of the last step, for the log of an epoch that was stopped after it.
        self.scheduler.step_update(max(self.progress.epoch * self.plan.steps + self.progress.step - 1, 0))

    def save(self) -> None:
        """Write the checkpoint (first process only)."""
        if not self.devices.main:
            return
        moments, values = pack_optimizer(self.optimizer)
        tensors = prefixed("model.", self.model.state_dict()) | moments
        if self.ema is not None:
            tensors |= prefixed("ema.", self.ema.module.state_dict())
        state = {"progress": asdict(self.progress), "optimizer": values, "scaler": self.scaler.state_dict()}
        save_checkpoint(self.output / CHECKPOINT, tensors, state | self.identity)

    def result(self) -> nn.Module:
        """The model the recipe ends with: the moving average or the raw weights, of the last or the best epoch."""
        model = self._chosen()
        if self.recipe.regularisation.keep == "best":
            self.devices.wait()
            model.load_state_dict(read_weights(self.output / BEST))
        return model

    def _chosen(self) -> nn.Module:
        if self.ema is None or self.recipe.regularisation.weights == "raw":
            return self.model
        average: nn.Module = self.ema.module
        return average

    def _keep_best(self, row: dict[str, Any]) -> None:
        """Note a higher Top-1, or the same with a lower loss, and store the weights if the best are to be kept."""
        name = "val_top1" if self._chosen() is self.model else "val_top1_ema"
        self.progress.best = max(self.progress.best, row["val_top1"], row.get("val_top1_ema", 0.0))
        found, loss = row[name], row[name.replace("top1", "loss")]
        if (found, -loss) <= (self.progress.best_chosen, -self.progress.best_loss):
            return
        self.progress.best_chosen, self.progress.best_loss, self.progress.best_epoch = found, loss, row["epoch"]
        if self.recipe.regularisation.keep == "best" and self.devices.main:
            write_tensors(self.output / BEST, self._chosen().state_dict(), {"format": "pt"})

    def measure(self) -> dict[str, float]:
        """Top-1 and loss on the evaluation split, of the raw weights and of their moving average."""
        self.model.eval()
        size = self.recipe.runtime.eval_batch_size
        top1, loss = measure(self._logits, self.evaluation, size, self.devices)
        found = {"val_top1": top1, "val_loss": loss}
        if self.ema is not None:
            with exchanged(self.model, self.ema.module):
                top1, loss = measure(self._logits, self.evaluation, size, self.devices)
            found |= {"val_top1_ema": top1, "val_loss_ema": loss}
        train_mode(self.model)
        return found

    def _run_epoch(self, reporter: Reporter) -> None:
        progress, runtime, parts = self.progress, self.recipe.runtime, self.recipe.runtime.accumulation
        train_mode(self.model)
        plan = self.plan.epoch(progress.epoch, progress.step)
        batches = zip(plan, self.train.training(plan), strict=True)
        start = saved = time.monotonic()
        before, total_before = progress.epoch_seconds, progress.seconds
        while progress.step < self.plan.steps:
            loss, norm = self._step([next(batches) for _ in range(parts)])
            self.meter.add(loss, norm)
            progress.step += 1
            now = time.monotonic()
            progress.epoch_seconds, progress.seconds = before + now - start, total_before + now - start
            by_count = bool(runtime.checkpoint_steps) and progress.step % runtime.checkpoint_steps == 0
            if by_count or progress.step % self.meter.every == 0 or progress.step == self.plan.steps:
                late = bool(runtime.checkpoint_minutes) and now - saved >= 60 * runtime.checkpoint_minutes
                if self._flush(late) or by_count:
                    self.save()
                    saved = time.monotonic()
            reporter.step(progress.loss_sum / max(progress.steps, 1), self.recipe.data.batch_size)
            if self.on_step is not None:
                self.on_step(progress)
        self._finish_epoch(reporter)

    def _finish_epoch(self, reporter: Reporter) -> None:
        progress, epochs = self.progress, self.recipe.schedule.epochs
        images = progress.steps * self.recipe.data.batch_size
        row: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "step": (progress.epoch + 1) * self.plan.steps,
            "lr": self._rate(),
            "size": self.objective.resolution(progress.epoch),
            "train_loss": progress.loss_sum / progress.steps,
            "grad_norm": progress.norm_sum / progress.steps,
            "grad_norm_max": progress.norm_max,
            "images_per_s": images / max(progress.epoch_seconds, 1e-9),
        }
        if row["epoch"] % self.recipe.runtime.eval_every == 0 or row["epoch"] == epochs:
            start = time.monotonic()
            row |= self.measure()
            self._keep_best(row)
            seconds = time.monotonic() - start
            progress.epoch_seconds += seconds
            progress.seconds += seconds
        row["seconds"] = progress.epoch_seconds
        if self.devices.main:
            append_row(self.output / LOG_FILE, row)
            self.on_epoch(row)
        reporter.epoch(row, epochs)
        progress.start_epoch()
        self.save()

    def _step(self, parts: list[tuple[Part, tuple[Tensor, Tensor]]]) -> tuple[Tensor, Tensor]:
        """One optimiser step over this process's parts; returns its mean loss and gradient norm."""
        done = self.progress.epoch * self.plan.steps + self.progress.step
        self.scheduler.step_update(done)
        total = torch.zeros((), device=self.devices.device)
        for number, (part, batch) in enumerate(parts):
            with self.devices.without_sync(self.wrapped, last_part=number == len(parts) - 1):
                loss = self._loss(part, *batch) / len(parts)
                self.scaler.scale(loss).backward()
            total += loss.detach()
        self.scaler.unscale_(self.optimizer)
        norm = self.clip().detach()
        with Float32() if self.recipe.runtime.precision == "float32" else nullcontext():
            self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        project_parameters(self.bounded)
        if self.ema is not None:
            self.ema.update(self.model, step=done + 1)
        # With float16 an overflowing gradient is the scaler's business: it skips the step and lowers the scale.
        return total, torch.nan_to_num(norm, posinf=0.0) if self.scaler.is_enabled() else norm

    def _loss(self, part: Part, images: Tensor, labels: Tensor) -> Tensor:
        seed = derive(self.recipe.runtime.seed, Purpose.STEP, part.epoch, part.number, self.devices.rank)
        images = images.to(self.devices.device, non_blocking=True)
        labels = labels.to(self.devices.device, non_blocking=True)
        images, target = self.objective.prepare(images, labels, part.epoch, seed)
        with self._autocast():
            logits = self.forward(images.contiguous(memory_format=self.format))
        return self.objective.loss(logits, target)

    def _logits(self, images: Tensor) -> Tensor:
        images = images.to(self.devices.device).contiguous(memory_format=self.format)
        with self._autocast():
            return self.forward_alone(images)  # type: ignore[no-any-return]

    def _flush(self, save: bool) -> bool:
        pending, progress = len(self.meter), self.progress
        bad, save = self.meter.flush(progress, save)
        if bad is None:
            return save
        step = progress.epoch * self.plan.steps + progress.step - pending + bad + 1
        checkpoint = self.output / CHECKPOINT
        back = f"The last good state is {checkpoint}." if checkpoint.exists() else "No checkpoint was written yet."
        raise DivergedError(
            f"Training diverged: loss or gradient is not finite at step {step} (epoch {progress.epoch + 1}, learning "
            f"rate {self._rate():.4g}). {back} Try a lower optimizer.lr, a longer schedule.warmup_epochs or "
            "optimizer.clip_norm."
        )

    def _rate(self) -> float:
        group = self.optimizer.param_groups[0]
        return float(group["lr"] / group["lr_scale"]) if group["lr_scale"] else float(self.recipe.optimizer.lr)

    def _autocast(self) -> Any:
        precision = self.recipe.runtime.precision
        if precision == "float32":
            return nullcontext()
        return torch.autocast(self.devices.device.type, dtype=getattr(torch, precision))

    def _compiled(self, module: nn.Module) -> Any:
        runtime = self.recipe.runtime
        return torch.compile(module, dynamic=False, mode=runtime.compile_mode) if runtime.compile else module


def train_mode(model: nn.Module) -> None:
    """Training mode for what learns; what is frozen keeps its statistics and drops nothing."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()

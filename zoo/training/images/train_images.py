"""`train`: from a recipe to a folder with weights, log and summary."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.image_dataset import ImageDataset
from zoo.data.preprocess import Preprocess
from zoo.data.training_splits import open_training_splits
from zoo.environment import hardware, library_versions
from zoo.errors import ConfigurationError, OutputError, RecipeError
from zoo.files import check_writable, write_json, write_tensors
from zoo.training.begun import begun
from zoo.training.images.checkpoint import load_checkpoint
from zoo.training.images.image_loaders import PilImages, TensorImages, TrainingImages
from zoo.training.images.log import read_rows
from zoo.training.images.loop import BEST, CHECKPOINT, StepHook, Trainer
from zoo.training.images.start_network import start_network
from zoo.training.parse import load_recipe
from zoo.training.processes import Devices, find_devices
from zoo.training.recipe import Recipe
from zoo.training.reporter import Reporter, counting
from zoo.training.resume import check_same, identify
from zoo.training.seeds import Purpose, derive, seed_everything
from zoo.weights.run_folder import LOG_FILE, RECIPE_FILE, SUMMARY_FILE
from zoo.weights.tag import WEIGHTS_FILE

# What `zoo adopt` reads beside the weights.
LABELS, PREPROCESS = "labels.json", "preprocess.json"
FILES = (RECIPE_FILE, SUMMARY_FILE, WEIGHTS_FILE, LABELS, PREPROCESS)


@dataclass(frozen=True)
class TrainResult:
    """Result of a finished run.

    Args:
        output: its folder.
        weights: the final weights, float32 safetensors.
        model: the trained network in evaluation mode.
        summary: what summary.json holds: recipe, data, results, times, versions.
        main: whether this process is the one that wrote the files.
    """

    output: Path
    weights: Path
    model: nn.Module
    summary: dict[str, Any]
    main: bool = True


def train(
    recipe: Recipe | str | Path,
    *,
    data: str | Path | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    show_progress: bool = True,
    on_step: StepHook | None = None,
    tensorboard: bool = False,
) -> TrainResult:
    """Train a model by `recipe`; the same call with `resume=True` goes on after a kill as if nothing had happened.

    The run's folder receives recipe.json, log.jsonl (a row per epoch), checkpoint.safetensors, and at the end
    model.safetensors and summary.json, with labels.json and preprocess.json for `zoo adopt`, which makes a card of the
    weights: only then can they be loaded, evaluated and exported by name. What is refused leaves no folder behind, nor
    does a run whose first checkpoint cannot be written.

    Seeds torch's, numpy's and Python's global generators. Started by `accelerate launch` or `torchrun`, the processes
    share each batch.

    Args:
        recipe: a `Recipe`, the name of a shipped one, or a file.
        data: local folder of the data set; None fetches it from the Hub.
        output: folder of the run; None takes runs/<recipe name>.
        resume: go on from the folder's checkpoint; without one the run starts at its beginning.
        device: "cpu", "cuda", ...; None takes the best available.
        show_progress: draw a bar, or lines where there is no terminal.
        on_step: called after each optimiser step.
        tensorboard: write each epoch's row as events too, into the folder `tensorboard` of the run.

    Raises:
        RecipeError: the recipe is wrong, or does not fit the model or the data; or recipe, data or number of processes
            are not those of the run to be resumed.
        ConfigurationError: the device does not exist, or tensorboard is not installed.
        OutputError: the folder cannot be written, or already holds a run and `resume` is False.
        DivergedError: loss or gradient is no longer finite.
        DataNotFoundError: the data set or a split is missing.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    folder = Path(output if output is not None else Path("runs") / recipe.name).absolute()
    devices = find_devices(device)
    saved = _look_into(folder, resume, devices)
    splits = _open_splits(recipe, data)
    identity = identify(recipe, splits, devices.world)
    if saved is not None:
        check_same(folder / CHECKPOINT, saved[1], identity)
    show = show_progress and devices.main
    model, images, about = _prepare(recipe, splits, devices, show)
    classes = splits["train"].num_classes
    trainer = Trainer(recipe, model, images[0], images[1], classes, devices, folder, identity, on_step)
    if saved is not None:
        trainer.restore(*saved)
    done = trainer.progress.epoch * trainer.plan.steps + trainer.progress.step
    with begun(folder, (folder / CHECKPOINT).exists, devices.main):
        trainer.on_epoch = event_log(folder, recipe.to_dict()) if tensorboard and devices.main else trainer.on_epoch
        _claim(folder, recipe, devices)
        with Reporter(recipe.schedule.epochs * trainer.plan.steps, done, show) as reporter:
            if resume:
                reporter.say(f"Going on at step {done}." if saved else f"No checkpoint in {folder}; at step 0.")
            trainer.run(reporter)
    return _finish(trainer, about)


def _look_into(folder: Path, resume: bool, devices: Devices) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The checkpoint to resume from, or None; leaves the folder as it is, or missing."""
    checkpoint = folder / CHECKPOINT
    if not resume and (checkpoint.exists() or (folder / LOG_FILE).exists()):
        raise OutputError(f"{folder} already holds a run. Resume it (--resume), or choose another folder (--output).")
    if devices.main:
        check_writable(folder / RECIPE_FILE)
    return load_checkpoint(checkpoint) if resume and checkpoint.exists() else None


def _claim(folder: Path, recipe: Recipe, devices: Devices) -> None:
    """Make the folder this run's, once every process has looked into it and nothing is left that could be refused."""
    devices.wait()
    if devices.main:
        write_json(folder / RECIPE_FILE, recipe.to_dict())
        for name in (CHECKPOINT, BEST, LOG_FILE, *FILES):
            for leftover in folder.glob(f".{Path(name).stem}.????????{Path(name).suffix}"):
                leftover.unlink()


def _open_splits(recipe: Recipe, data: str | Path | None) -> dict[str, ImageDataset]:
    wanted = recipe.data
    opened = open_training_splits(
        wanted.dataset, data, train=wanted.train_split, evaluation=wanted.eval_split,
        fraction=wanted.eval_fraction, seed=recipe.runtime.seed, skip_unreadable=wanted.skip_unreadable,
    )  # fmt: skip
    splits = dict(zip(("train", "evaluation"), opened, strict=True))
    found = [split.num_classes for split in splits.values()]
    classes = recipe.model.num_classes or found[0]
    if any(count != classes for count in found):
        raise RecipeError(
            f"model.num_classes: {classes}, but {recipe.data.dataset} has {found[0]} classes to train on and "
            f"{found[1]} to evaluate on. Leave model.num_classes out to take the data set's."
        )
    return splits


def _prepare(
    recipe: Recipe, splits: dict[str, ImageDataset], devices: Devices, show: bool
) -> tuple[nn.Module, list[TrainingImages], dict[str, Any]]:
    """The model with fresh weights, the images of both splits, and what the summary says of the data."""
    seed_everything(derive(recipe.runtime.seed, Purpose.INITIALISE))
    train = splits["train"]
    model, base = start_network(recipe.model, train.num_classes, train.labels)
    if not recipe.runtime.fused_attention:
        unfuse_attention(model)
    preprocess = Preprocess.of(model)
    images = [_open_images(use, split, recipe, preprocess, devices.rank, show) for use, split in splits.items()]
    about = {
        "dataset": recipe.data.dataset,
        "train_images": len(images[0]),
        "eval_images": len(images[1]),
        "train_split": train.split,
        "eval_split": splits["evaluation"].split,
        "labels": list(train.labels),
        "num_classes": train.num_classes,
        "base": base,
        "train_source": train.source,
        "eval_source": splits["evaluation"].source,
        "preprocess": preprocess.to_dict(),
    }
    return model, images, about


def unfuse_attention(model: nn.Module) -> None:
    """Let timm's attention modules use their plain form, for this model only."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # type: ignore[assignment]


def _open_images(
    use: str, split: ImageDataset, recipe: Recipe, preprocess: Preprocess, rank: int, show: bool
) -> TrainingImages:
    if recipe.data.loader == "pil":
        return PilImages(split, recipe, preprocess)
    with counting(f"decoding, {use}", len(split), show) as advance:
        return TensorImages(split, recipe, preprocess, rank, augmented=use == "train", advance=advance)


def _finish(trainer: Trainer, about: dict[str, Any]) -> TrainResult:
    """Write weights and summary (first process), and return them."""
    model = trainer.result().eval()
    folder, rows = trainer.output, read_rows(trainer.output / LOG_FILE) if trainer.devices.main else []
    summary: dict[str, Any] = {
        "recipe_name": trainer.recipe.name,
        "recipe": trainer.recipe.to_dict(),
        "base": about.pop("base"),
        "data": about,
        "weights": trainer.recipe.regularisation.weights,
        "parameters": sum(p.numel() for p in model.parameters()),
        "results": rows[-1] if rows else {},
        "best_top1": trainer.progress.best,
        "wall_clock_s": trainer.progress.seconds,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": _environment(trainer.devices),
    }
    if trainer.devices.main:
        write_tensors(folder / WEIGHTS_FILE, model.state_dict(), {"format": "pt"})
        write_json(folder / LABELS, about["labels"])
        write_json(folder / PREPROCESS, about["preprocess"])
        write_json(folder / SUMMARY_FILE, summary)
        (folder / BEST).unlink(missing_ok=True)
    trainer.devices.wait()
    return TrainResult(folder, folder / WEIGHTS_FILE, model, summary, trainer.devices.main)


def event_log(folder: Path, settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """The function that writes an epoch's row for TensorBoard, by Accelerate's tracker.

    Raises:
        ConfigurationError: tensorboard is not installed.
    """
    from accelerate.tracking import TensorBoardTracker

    try:
        tracker = TensorBoardTracker("tensorboard", logging_dir=folder)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"--tensorboard needs the package tensorboard: {error}.") from error
    (folder / "tensorboard" / "recipe.json").write_text(json.dumps(settings, indent=2), "utf-8")

    def write(row: dict[str, Any]) -> None:
        figures = {name: value for name, value in row.items() if name not in ("epoch", "step") and value is not None}
        tracker.log(figures, step=row["step"])

    return write


def _environment(devices: Devices) -> dict[str, Any]:
    return {
        "device": f"{devices.device.type} ({hardware(devices.device)})",
        "processes": devices.world,
        "threads": torch.get_num_threads(),
        "versions": library_versions(),
    }

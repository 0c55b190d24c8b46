"""`train`: from a recipe to a folder with weights, log and summary."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo._files import write_atomic, write_json
from zoo.errors import OutputError, RecipeError
from zoo.training.checkpoint import load_checkpoint
from zoo.training.devices import Devices, find_devices
from zoo.training.images import Images, PilImages, TensorImages
from zoo.training.log import read_rows
from zoo.training.loop import CHECKPOINT, LOG, StepHook, Trainer
from zoo.training.parse import load_recipe
from zoo.training.recipe import FREE_ON_RESUME, Recipe, flat
from zoo.training.reporter import Reporter
from zoo.training.seeds import Purpose, derive, seed_everything

RECIPE, SUMMARY, WEIGHTS = "recipe.json", "summary.json", "model.safetensors"


@dataclass(frozen=True)
class TrainResult:
    """What a finished run leaves.

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
) -> TrainResult:
    """Train a model by `recipe`; the same call with `resume=True` goes on after a kill as if nothing had happened.

    The run's folder receives recipe.json, log.jsonl (a row per epoch), checkpoint.safetensors, and at the end
    model.safetensors and summary.json. Seeds torch's, numpy's and Python's global generators. Started by
    `accelerate launch` or `torchrun`, the processes share each batch.

    Args:
        recipe: a `Recipe`, the name of a shipped one, or a file.
        data: local folder of the data set; None fetches it from the Hub.
        output: folder of the run; None takes runs/<recipe name>.
        resume: go on from the folder's checkpoint; without one the run starts at its beginning.
        device: "cpu", "cuda", ...; None takes the best available.
        show_progress: draw a bar, or lines where there is no terminal.
        on_step: called after each optimiser step.

    Raises:
        RecipeError: the recipe is wrong, or does not fit the model, the data or the run to be resumed.
        OutputError: the folder cannot be written, or already holds a run and `resume` is False.
        DivergedError: loss or gradient is no longer finite.
        DataNotFoundError: the data set or a split is missing.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    folder = Path(output if output is not None else Path("runs") / recipe.name).absolute()
    devices = find_devices(device)
    saved = _open_folder(folder, recipe, resume, devices)
    trainer, about = _prepare(recipe, data, devices, folder, on_step)
    if saved is not None:
        trainer.restore(*saved)
    done = trainer.progress.epoch * trainer.plan.steps + trainer.progress.step
    with Reporter(recipe.schedule.epochs * trainer.plan.steps, done, show_progress and devices.main) as reporter:
        if resume:
            reporter.say(f"Going on at step {done}." if saved else f"No checkpoint in {folder}; starting at step 0.")
        trainer.run(reporter)
    return _finish(trainer, about)


def _open_folder(folder: Path, recipe: Recipe, resume: bool, devices: Devices) -> Any:
    """Claim the run's folder; returns the checkpoint to resume from, or None."""
    checkpoint = folder / CHECKPOINT
    if not resume and (checkpoint.exists() or (folder / LOG).exists()):
        raise OutputError(f"{folder} already holds a run. Resume it (--resume), or choose another folder (--output).")
    saved = load_checkpoint(checkpoint) if resume and checkpoint.exists() else None
    if saved is not None:
        _check_same(recipe, saved[1]["recipe"], checkpoint)
    devices.wait()
    if devices.main:
        write_json(folder / RECIPE, recipe.to_dict())
        for leftover in folder.glob(f".{Path(CHECKPOINT).stem}.*"):
            leftover.unlink()
    return saved


def _check_same(recipe: Recipe, stored: dict[str, Any], checkpoint: Path) -> None:
    now = {key: value for key, value in flat(recipe).items() if key not in FREE_ON_RESUME and key != "name"}
    then = {
        (f"{table}.{key}" if key else table): value
        for table, entries in stored.items()
        for key, value in (entries.items() if isinstance(entries, dict) else [("", entries)])
    }
    changed = [
        f"{k}: {then.get(k)!r} -> {now.get(k)!r}"
        for k in now.keys() | then.keys() - FREE_ON_RESUME
        if then.get(k) != now.get(k)
    ]
    if changed:
        raise RecipeError(
            f"{checkpoint} was written by another recipe:\n  "
            + "\n  ".join(sorted(changed))
            + "\nResume with the same recipe, or choose another folder (--output)."
        )


def _prepare(
    recipe: Recipe, data: str | Path | None, devices: Devices, folder: Path, on_step: StepHook | None
) -> tuple[Trainer, dict[str, Any]]:
    from zoo.data.preprocess import Preprocess
    from zoo.data.vision import load_vision
    from zoo.models import build_model

    splits = [load_vision(recipe.data.dataset, s, data) for s in (recipe.data.train_split, recipe.data.eval_split)]
    classes = recipe.model.num_classes or splits[0].num_classes
    if classes != splits[0].num_classes or classes != splits[1].num_classes:
        raise RecipeError(
            f"model.num_classes: {classes}, but {recipe.data.dataset} has {splits[0].num_classes} classes to train on "
            f"and {splits[1].num_classes} to evaluate on. Leave model.num_classes out to take the data set's."
        )
    seed_everything(derive(recipe.runtime.seed, Purpose.INITIALISE))
    m = recipe.model
    model = build_model(m.name, num_classes=classes, norm=m.norm, act=m.act, **m.args)
    preprocess = Preprocess.of(model)
    train_images, eval_images = (
        _open_images(split, recipe, preprocess, devices, augmented=i == 0) for i, split in enumerate(splits)
    )
    about = {
        "dataset": recipe.data.dataset,
        "train_images": len(train_images),
        "eval_images": len(eval_images),
        "labels": list(splits[0].labels),
        "train_source": splits[0].source,
        "eval_source": splits[1].source,
        "preprocess": preprocess.to_dict(),
    }
    return Trainer(recipe, model, train_images, eval_images, classes, devices, folder, on_step), about


def _open_images(split: Any, recipe: Recipe, preprocess: Any, devices: Devices, augmented: bool) -> Images:
    if recipe.data.loader == "tensor":
        return TensorImages(split, recipe, preprocess, devices.rank, augmented=augmented)
    return PilImages(split, recipe, preprocess)


def _finish(trainer: Trainer, about: dict[str, Any]) -> TrainResult:
    """Write weights and summary (first process), and return them."""
    from safetensors.torch import save_file

    model = trainer.result().eval()
    folder, rows = trainer.output, read_rows(trainer.output / LOG) if trainer.devices.main else []
    summary: dict[str, Any] = {
        "recipe_name": trainer.recipe.name,
        "recipe": trainer.recipe.to_dict(),
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
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        write_atomic(folder / WEIGHTS, lambda file: save_file(tensors, file, metadata={"format": "pt"}))
        write_json(folder / SUMMARY, summary)
    trainer.devices.wait()
    return TrainResult(folder, folder / WEIGHTS, model, summary, trainer.devices.main)


def _environment(devices: Devices) -> dict[str, Any]:
    import timm

    name = torch.cuda.get_device_name(devices.device) if devices.device.type == "cuda" else platform.machine()
    return {
        "device": f"{devices.device.type} ({name})",
        "processes": devices.world,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "python": platform.python_version(),
    }

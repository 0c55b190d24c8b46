"""One training of a study: carried out by `zoo.training`'s loop, stored when finished, resumed after a kill."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo._environment import hardware, library_versions
from zoo._files import check_writable, write_json
from zoo.data.preprocess import Preprocess
from zoo.data.vision import ImageDataset
from zoo.errors import ConfigurationError, DivergedError, OutputError
from zoo.training.checkpoint import load_checkpoint
from zoo.training.devices import Devices, find_devices
from zoo.training.image_loaders import TensorImages
from zoo.training.log import Progress, append_row, read_rows, rewind
from zoo.training.loop import CHECKPOINT, LOG, Trainer
from zoo.training.recipe import Recipe
from zoo.training.reporter import Reporter
from zoo.training.resume import check_same, identify
from zoo.training.seeds import Purpose, derive, seed_everything

RESULT, WATCHED = "result.json", "watched.jsonl"


def _nothing(_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Job:
    """What to train and what to note of it.

    Args:
        name: the run's folder inside the study's.
        recipe: its `data.loader` must be "tensor".
        build: makes the network; called once the generators are seeded.
        preprocess: of the network.
        watch: what to keep of the network before the first epoch and after each.
        conclude: what to add to the result of a finished training that did not diverge.
    """

    name: str
    recipe: Recipe
    build: Callable[[], nn.Module]
    preprocess: Preprocess
    watch: Callable[[nn.Module], dict[str, Any]] = _nothing
    conclude: Callable[[Trainer], dict[str, Any]] = _nothing


def one_process(device: str | None) -> Devices:
    """Take a device for a study.

    Raises:
        ConfigurationError: several processes were started together, or the device does not exist.
    """
    devices = find_devices(device)
    if devices.world > 1:
        raise ConfigurationError(f"A study runs in one process; {devices.world} were started. Start it without them.")
    return devices


def claim(folder: Path, resume: bool) -> None:
    """Make sure that the study may write here.

    Raises:
        OutputError: the folder cannot be written, or holds runs and `resume` is False.
    """
    if not resume and folder.is_dir() and any((path / LOG).exists() for path in folder.iterdir()):
        raise OutputError(f"{folder} already holds runs. Go on with them (--resume), or choose another --output.")
    check_writable(folder / RESULT)


def carry_out(
    job: Job, splits: Mapping[str, ImageDataset], folder: Path, devices: Devices, *, show: bool = True
) -> dict[str, Any]:
    """Train `job`, go on with it, or read what it left if it was finished before.

    Args:
        job: what to do.
        splits: "train" and "evaluation".
        folder: the study's; the run gets `folder / job.name`.
        devices: from `one_process`.
        show: draw progress.

    Returns:
        `name`, `seed`, `log` (a row per epoch), `watched` (a row for the start and each epoch), `diverged` (the error's
        text or None), `seconds`, `finished`, `environment`, and what `job.conclude` gave.

    Raises:
        RecipeError: the folder holds a run by another recipe or of other data.
        OutputError: the folder cannot be written.
    """
    place = folder / job.name
    identity = identify(job.recipe, splits, devices.world)
    if (place / RESULT).exists():
        return _stored(place / RESULT, identity)
    saved = load_checkpoint(place / CHECKPOINT) if (place / CHECKPOINT).exists() else None
    if saved is not None:
        check_same(place / CHECKPOINT, saved[1], identity)
    trainer = _trainer(job, splits, place, devices, identity)
    if saved is not None:
        trainer.restore(*saved)
    write_json(place / "recipe.json", job.recipe.to_dict())
    rewind(place / WATCHED, trainer.progress.epoch if saved else -1)
    if saved is None:
        append_row(place / WATCHED, {"epoch": 0, **job.watch(trainer.model)})
    diverged = _train(trainer, show, job.name)
    result = _result(job, trainer, diverged)
    write_json(place / RESULT, {**result, "identity": identity})
    (place / CHECKPOINT).unlink(missing_ok=True)
    return result


def _stored(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    check_same(path, result.pop("identity"), identity)
    return result


def _trainer(
    job: Job, splits: Mapping[str, ImageDataset], place: Path, devices: Devices, identity: dict[str, Any]
) -> Trainer:
    if job.recipe.runtime.compile:
        torch.compiler.reset()  # a study's networks share their classes, and torch.compile gives up after 8 of a kind
    seed_everything(derive(job.recipe.runtime.seed, Purpose.INITIALISE))
    model = job.build()
    train = TensorImages(splits["train"], job.recipe, job.preprocess)
    evaluation = TensorImages(splits["evaluation"], job.recipe, job.preprocess, augmented=False)

    def keep(progress: Progress) -> None:
        if progress.step == trainer.plan.steps:
            append_row(place / WATCHED, {"epoch": progress.epoch + 1, **job.watch(model)})

    classes = splits["train"].num_classes
    trainer = Trainer(job.recipe, model, train, evaluation, classes, devices, place, identity, keep)
    return trainer


def _train(trainer: Trainer, show: bool, name: str) -> str | None:
    """Run to the end; returns the message of a divergence, None if there was none."""
    done = trainer.progress.epoch * trainer.plan.steps + trainer.progress.step
    with Reporter(trainer.recipe.schedule.epochs * trainer.plan.steps, done, show) as reporter:
        reporter.say(f"{name}: from step {done}" if done else name)
        try:
            trainer.run(reporter)
        except DivergedError as error:
            reporter.say(f"{name}: {error}")
            return str(error)
    return None


def _result(job: Job, trainer: Trainer, diverged: str | None) -> dict[str, Any]:
    return {
        "name": job.name,
        "seed": job.recipe.runtime.seed,
        "log": read_rows(trainer.output / LOG),
        "watched": read_rows(trainer.output / WATCHED),
        "diverged": diverged,
        "seconds": trainer.progress.seconds,
        "steps": trainer.progress.epoch * trainer.plan.steps + trainer.progress.step,
        **({} if diverged else job.conclude(trainer)),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": {
            "device": f"{trainer.devices.device.type} ({hardware(trainer.devices.device)})",
            "versions": library_versions(),
        },
    }

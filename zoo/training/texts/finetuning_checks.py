"""Checks before anything is read or written: devices must fit the recipe, folders must not be taken."""

from pathlib import Path

from zoo.errors import ConfigurationError, OutputError, RecipeError
from zoo.files import check_writable
from zoo.training.processes import Devices
from zoo.training.texts.finetuning_recipe import FinetuneRecipe
from zoo.training.texts.resume_finetuning import Checkpoint, checkpoints, find
from zoo.weights.run_folder import RECIPE_FILE, SUMMARY_FILE
from zoo.weights.tag import WEIGHTS_FILE


def check_devices(recipe: FinetuneRecipe, devices: Devices) -> None:
    """Refuse what transformers would do in another way than asked.

    Raises:
        ConfigurationError: another GPU than the first, or float16 without a GPU.
        RecipeError: the processes cannot share a batch equally.
    """
    runtime, device = recipe.runtime, devices.device
    if devices.world == 1 and device.index:
        raise ConfigurationError(
            f"Asked for device {device}: transformers takes the first GPU it sees. Ask for cuda, and choose the GPU "
            "with CUDA_VISIBLE_DEVICES."
        )
    if runtime.precision == "float16" and device.type != "cuda":
        raise ConfigurationError(
            f"runtime.precision: float16 needs a GPU to train on, found {device}. Use bfloat16 or float32."
        )
    if runtime.batch_size % devices.world:
        raise RecipeError(
            f"runtime.batch_size: {runtime.batch_size} texts cannot be shared equally by {devices.world} processes."
        )


def look_into(folder: Path, resume: bool, devices: Devices) -> Checkpoint | None:
    """The checkpoint to resume from, or None; leaves the folder as it is, or missing.

    Raises:
        OutputError: it cannot be written; or it holds something and `resume` is False; or what it holds is finished, or
            no run of `finetune`, and `resume` is True.
        WeightsCorruptError: the mark of its last checkpoint cannot be read.
    """
    names = [name for name in (RECIPE_FILE, SUMMARY_FILE, WEIGHTS_FILE) if (folder / name).exists()]
    names += [path.name for path, _ in checkpoints(folder)]
    if names and not resume:
        raise OutputError(
            f"{folder} already holds a run ({', '.join(names)}). Resume it (--resume), or choose another folder "
            "(--output)."
        )
    if SUMMARY_FILE in names:
        raise OutputError(
            f"{folder} holds a finished run: nothing is left to resume. Choose another folder (--output)."
        )
    if names and RECIPE_FILE not in names:
        raise OutputError(
            f"{folder} holds {', '.join(names)} but no {RECIPE_FILE}, so no run of ours. Choose another folder."
        )
    if devices.main:
        check_writable(folder / RECIPE_FILE)
    return find(folder) if resume else None

"""Run the plasticity experiment: three stabilisers by several seeds, the slopes kept after every epoch."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from zoo.data.preprocess import Preprocess
from zoo.data.vision import load_vision
from zoo.errors import ConfigurationError
from zoo.models.model_spec import CIFAR_MEAN, CIFAR_STD
from zoo.studies.images import about, held
from zoo.studies.plasticity.network import STABILISERS, PReLUNet, Stabiliser, slopes
from zoo.studies.plasticity.report import make_report
from zoo.studies.runs import Job, carry_out, claim, one_process
from zoo.training import Recipe, load_recipe

RECIPE = Path(__file__).with_name("plasticity.toml")
PREPROCESS = Preprocess((3, 32, 32), "bicubic", 1.0, "center", CIFAR_MEAN, CIFAR_STD)


def run_plasticity(
    *,
    data: str | Path | None = None,
    output: str | Path = "runs/study_plasticity",
    seeds: int = 5,
    recipe: Recipe | None = None,
    resume: bool = False,
    device: str | None = None,
    show: bool = True,
) -> dict[str, Any]:
    """Train `PReLUNet` with each stabiliser and each seed, and report how PReLU's slopes moved.

    A finished run is stored and not repeated, so a killed study goes on with `resume=True`.

    Args:
        data: local folder of the data set; None fetches it from the Hub.
        output: folder of the study, one folder inside for each run.
        seeds: how many, counted from the recipe's.
        recipe: None takes plasticity.toml, 50 epochs.
        resume: go on where the folder stands.
        device: "cpu", "cuda", ...; None takes the best available.
        show: draw progress.

    Returns:
        The report; see `zoo.studies.plasticity.report.make_report`.

    Raises:
        ConfigurationError: `seeds` is below 1, or several processes were started.
        OutputError: the folder holds runs and `resume` is False, or cannot be written.
        RecipeError: the folder's runs are of another recipe or other data.
        DataNotFoundError: the data set is missing.
    """
    if seeds < 1:
        raise ConfigurationError(f"Asked for {seeds} seeds; a study needs at least one.")
    recipe, folder = recipe or load_recipe(RECIPE), Path(output).absolute()
    devices = one_process(device)
    claim(folder, resume)
    names = {"train": recipe.data.train_split, "evaluation": recipe.data.eval_split}
    splits = {use: held(load_vision(recipe.data.dataset, name, data), show=show) for use, name in names.items()}
    classes = splits["train"].num_classes
    runs = []
    for seed in range(recipe.runtime.seed, recipe.runtime.seed + seeds):
        for stabiliser in STABILISERS:
            result = carry_out(_job(recipe, stabiliser, seed, classes), splits, folder, devices, show=show)
            runs.append({"stabiliser": stabiliser, **result})
    return make_report(recipe, runs, about(splits))


def _job(recipe: Recipe, stabiliser: Stabiliser, seed: int, classes: int) -> Job:
    own = replace(
        recipe,
        model=replace(recipe.model, norm=stabiliser),
        runtime=replace(recipe.runtime, seed=seed),
    )
    return Job(f"{stabiliser}_seed{seed}", own, partial(PReLUNet, stabiliser, classes), PREPROCESS, watch=_slopes)


def _slopes(model: nn.Module) -> dict[str, Any]:
    return {"slopes": slopes(model)}

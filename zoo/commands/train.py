"""`zoo train`: a model by a recipe."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train")(train_command)


def train_command(
    recipe: Annotated[str | None, typer.Argument(help="A shipped recipe, or a .toml file.", show_default=False)] = None,
    data: Annotated[Path | None, typer.Option(help="Local folder of the data set; without it: from the Hub.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the run. [default: runs/RECIPE]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field: --set model.act=galu")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Short for --set schedule.epochs=N.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ... [default: the best available]")] = None,
    compiled: Annotated[bool | None, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read images.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the shipped recipes and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Train a model by a recipe; the same command with --resume goes on after a kill.

    Several processes: `torchrun --nproc-per-node 8 -m zoo train RECIPE`, or `accelerate launch -m zoo train RECIPE`.
    """
    if list_all:
        _list(as_json)
        return
    if recipe is None:
        raise typer.BadParameter("name a recipe; `zoo train --list` shows them.", param_hint="RECIPE")
    from zoo.commands._output import console_out, print_json
    from zoo.training import load_recipe, train

    chosen = load_recipe(recipe, _overrides(sets or [], epochs, compiled, workers))
    result = train(chosen, data=data, output=output, resume=resume, device=device)
    if not result.main:
        return
    if as_json:
        print_json({"output": str(result.output), "weights": str(result.weights), **result.summary})
        return
    figures = result.summary["results"]
    shown = "  ".join(f"{k}: {figures[k]:.2f} %" for k in ("val_top1", "val_top1_ema") if k in figures)
    console_out.print(f"{shown}  after {result.summary['wall_clock_s'] / 60:.1f} min", highlight=False)
    console_out.print(f"Weights: {result.weights}", highlight=False, soft_wrap=True)


def _overrides(sets: list[str], epochs: int | None, compiled: bool | None, workers: int | None) -> list[str]:
    short = {
        "schedule.epochs": epochs,
        "runtime.compile": None if compiled is None else str(compiled).lower(),
        "runtime.workers": workers,
    }
    return [*sets, *(f"{key}={value}" for key, value in short.items() if value is not None)]


def _list(as_json: bool) -> None:
    from zoo.commands._output import console_out, print_json
    from zoo.training import list_recipes, load_recipe

    recipes = {name: load_recipe(name) for name in list_recipes()}
    if as_json:
        print_json({name: recipe.to_dict() for name, recipe in recipes.items()})
        return
    for name, recipe in recipes.items():
        console_out.print(f"{name:20} {recipe.description} ({recipe.source})", highlight=False, soft_wrap=True)

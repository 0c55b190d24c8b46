"""`zoo train`: a model by a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.console.completion import recipes

if TYPE_CHECKING:
    from zoo.training.images.train_images import TrainResult


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train")(train_command)


def train_command(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A shipped recipe, or a .toml file.", show_default=False, autocompletion=recipes),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Local folder of the data set; without it: from the Hub.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the run. Default: runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field: --set model.act=galu")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Short for --set schedule.epochs=N.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ... Default: the best available.")] = None,
    compiled: Annotated[bool | None, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read images.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the shipped recipes and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Train a model by a recipe; the same command with --resume goes on after a kill.

    The weights of a finished run get a name by `zoo adopt`, which makes a card of them: the command to do so is
    printed at the end. After it, `zoo evaluate` and `zoo export` take them.

    Several processes: `torchrun --nproc-per-node 8 -m zoo train RECIPE`, or `accelerate launch -m zoo train RECIPE`.
    """
    if list_all:
        _list(as_json)
        return
    if recipe is None:
        raise typer.BadParameter("name a recipe; `zoo train --list` shows them.", param_hint="RECIPE")
    from zoo.console.interrupt import on_interrupt
    from zoo.devices import leave_processes
    from zoo.training.images.train_images import train
    from zoo.training.parse import load_recipe

    chosen = load_recipe(recipe, _overrides(sets or [], epochs, compiled, workers))
    try:
        with on_interrupt(lambda: _kept(output or Path("runs") / chosen.name)):
            result = train(chosen, data=data, output=output, resume=resume, device=device)
    finally:
        leave_processes()
    if result.main:
        _report(result, as_json)


def _kept(folder: Path) -> str:
    from zoo.console.interrupt import run_kept
    from zoo.training.images.loop import CHECKPOINT

    checkpoint = folder / CHECKPOINT
    return run_kept(folder, checkpoint if checkpoint.exists() else None)


def _overrides(sets: list[str], epochs: int | None, compiled: bool | None, workers: int | None) -> list[str]:
    short = {
        "schedule.epochs": epochs,
        "runtime.compile": None if compiled is None else str(compiled).lower(),
        "runtime.workers": workers,
    }
    return [*sets, *(f"{key}={value}" for key, value in short.items() if value is not None)]


def _report(result: "TrainResult", as_json: bool) -> None:
    from rich.markup import escape

    from zoo.console.output import console_out, print_json

    command = _adoption(result)
    if as_json:
        paths = {"output": str(result.output), "weights": str(result.weights), "adopt": command}
        print_json(paths | result.summary)
        return
    figures = result.summary["results"]
    shown = "  ".join(f"{k}: {figures[k]:.2f} %" for k in ("val_top1", "val_top1_ema") if k in figures)
    console_out.print(f"{shown}  after {result.summary['wall_clock_s'] / 60:.1f} min", highlight=False)
    console_out.print(f"Weights: {escape(str(result.weights))}", highlight=False, soft_wrap=True)
    console_out.print("To evaluate and export them by name, make a card of them:", highlight=False)
    console_out.print(escape(command), highlight=False, soft_wrap=True)


def _adoption(result: "TrainResult") -> str:
    """The command that makes a card of a run's weights; the tag is the data set's name."""
    import shlex

    recipe = result.summary["recipe"]
    model, dataset = recipe["model"], recipe["data"]["dataset"]
    options = {
        "--model": model["name"],
        "--tag": dataset,
        "--dataset": dataset,
        "--labels": result.output / "labels.json" if result.summary["data"]["labels"] else None,
        "--preprocess": result.output / "preprocess.json",
        "--norm": model.get("norm"),
        "--act": model.get("act"),
        "--img-size": model["args"].get("img_size"),
    }
    given = [part for option, value in options.items() if value is not None for part in (option, str(value))]
    return shlex.join(["zoo", "adopt", str(result.weights), *given])


def _list(as_json: bool) -> None:
    from zoo.console.output import print_json
    from zoo.console.tables import print_facts
    from zoo.training.parse import list_recipes, load_recipe

    recipes = {name: load_recipe(name) for name in list_recipes()}
    if as_json:
        print_json({name: recipe.to_dict() for name, recipe in recipes.items()})
        return
    print_facts((name, f"{recipe.description} ({recipe.source})") for name, recipe in recipes.items())

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
    write_recipe: Annotated[
        Path | None,
        typer.Option(help="Write the recipe, by default c18_cifar10, with the meaning of each field to FILE; stop."),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the shipped recipes and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Train a model by a recipe; the same command with --resume goes on after a kill.

    The folder of a finished run is a name of the model: zoo evaluate, predict and export take it. zoo adopt makes a
    card of it.

    Several processes: `torchrun --nproc-per-node 8 -m zoo train RECIPE`, or `accelerate launch -m zoo train RECIPE`.
    """
    if list_all:
        _list(as_json)
        return
    if write_recipe is not None:
        _write_recipe(write_recipe, recipe or "c18_cifar10", _overrides(sets or [], epochs, compiled, workers))
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
        _report(result, data, as_json)


def _write_recipe(file: Path, name: str, overrides: list[str]) -> None:
    from zoo.console.output import console_err, shortest_path
    from zoo.errors import OutputError
    from zoo.files import write_atomic
    from zoo.training.parse import load_recipe
    from zoo.training.recipe_text import as_toml

    if file.exists() or file.suffix != ".toml":
        problem = "it is there already" if file.exists() else "a recipe's name ends in .toml"
        raise OutputError(f"Cannot write the recipe {file}: {problem}. Give another name.")
    text = as_toml(load_recipe(name, overrides))
    write_atomic(file, lambda path: path.write_text(text, "utf-8"))
    console_err.print(
        f"Change it, then: zoo train {shortest_path(file)}", markup=False, highlight=False, soft_wrap=True
    )


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


def _report(result: "TrainResult", data: Path | None, as_json: bool) -> None:
    from zoo.console.output import console_out, print_json

    steps = _next_steps(result, data)
    if as_json:
        paths = {"output": str(result.output), "weights": str(result.weights), "adopt": steps[-1], "next": steps}
        print_json(paths | result.summary)
        return
    figures = result.summary["results"]
    shown = "  ".join(f"{k}: {figures[k]:.2f} %" for k in ("val_top1", "val_top1_ema") if k in figures)
    console_out.print(f"{shown}  after {result.summary['wall_clock_s'] / 60:.1f} min")
    console_out.print("Next; the last one makes a card of the run:")
    for step in steps:
        console_out.print(f"  {step}", soft_wrap=True)


def _next_steps(result: "TrainResult", data: Path | None) -> list[str]:
    """The commands that come next; all of them take the run's folder as a name."""
    import shlex

    from zoo.console.output import shortest_path

    folder, about = shortest_path(result.output), result.summary["data"]
    images = ["--dataset", about["dataset"], "--split", about["eval_split"]]
    images += [] if data is None else ["--data", str(data)]
    steps = [
        ["zoo", "evaluate", folder, *images],
        ["zoo", "export", folder, "--target", "edge_cpu", "--output", f"{Path(folder).name}.edge_cpu.onnx"],
        ["zoo", "adopt", folder],
    ]
    return [shlex.join(step) for step in steps]


def _list(as_json: bool) -> None:
    from zoo.console.output import print_json
    from zoo.console.tables import print_facts
    from zoo.training.parse import list_recipes, load_recipe

    recipes = {name: load_recipe(name) for name in list_recipes()}
    if as_json:
        print_json({name: recipe.to_dict() for name, recipe in recipes.items()})
        return
    print_facts((name, f"{recipe.description} ({recipe.source})") for name, recipe in recipes.items())

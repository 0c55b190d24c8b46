"""`zoo finetune`: a text encoder on a GLUE task."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.console.completion import finetune_recipes
from zoo.data.glue import GLUE

if TYPE_CHECKING:
    from zoo.training.texts.finetune_texts import FinetuneResult


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("finetune")(finetune_command)


def finetune_command(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A shipped recipe, or a .toml file.", show_default=False, autocompletion=finetune_recipes),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="GLUE task; short for --set data.task=TASK.", autocompletion=GLUE.names)
    ] = None,
    act: Annotated[str | None, typer.Option(help="fles, gelu, silu, ...; short for --set model.act=ACT.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Short for --set runtime.seed=N.")] = None,
    start: Annotated[
        str | None, typer.Option(help="Folder or Hub repository of the pretrained BERT, instead of the recipe's.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Local folder of GLUE; without it: from the Hub.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the run. Default: runs/RECIPE_TASK_ACT_SEED.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field: --set schedule.epochs=3")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the best available.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the shipped recipes and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Fine-tune a text encoder on a GLUE task by a recipe; the same command with --resume goes on after a kill.

    The folder it leaves can be loaded by transformers (after `import zoo.models.bert`). `zoo adopt` makes a card of it:
    the command to do so is printed at the end.

    Several processes: `torchrun --nproc-per-node 8 -m zoo finetune RECIPE`.
    """
    if list_all:
        _list(as_json)
        return
    if recipe is None:
        raise typer.BadParameter("name a recipe; `zoo finetune --list` shows them.", param_hint="RECIPE")
    from zoo.devices import leave_processes
    from zoo.training.texts.finetune_texts import finetune
    from zoo.training.texts.finetuning_recipe import load_finetune_recipe

    short = {"data.task": task, "model.act": act, "runtime.seed": seed, "model.start": start}
    overrides = [*(sets or []), *(f"{key}={value}" for key, value in short.items() if value is not None)]
    chosen = load_finetune_recipe(recipe, overrides)
    try:
        result = finetune(chosen, data=data, output=output, resume=resume, device=device)
    finally:
        leave_processes()
    if result.main:
        _report(result, as_json)


def _report(result: "FinetuneResult", as_json: bool) -> None:
    import shlex

    from rich.markup import escape

    from zoo.console.output import console_out, print_json

    recipe = result.summary["recipe"]
    command = shlex.join(
        ["zoo", "adopt", str(result.output), "--model", recipe["model"]["name"], "--tag", recipe["data"]["task"]]
    )
    if as_json:
        print_json({"output": str(result.output), "adopt": command} | result.summary)
        return
    figures = {name: value for name, value in result.summary["results"].items() if name in result.summary["metrics"]}
    shown = "  ".join(f"{name}: {100 * value:.2f}" for name, value in figures.items())
    shown = shown or f"Not measured: {escape(result.summary['unmeasured'])}"
    console_out.print(f"{shown}  after {result.summary['seconds'] / 60:.1f} min", highlight=False)
    console_out.print(f"Weights: {escape(str(result.output))}", highlight=False, soft_wrap=True)
    console_out.print("To evaluate and export them by name, make a card of them:", highlight=False)
    console_out.print(escape(command), highlight=False, soft_wrap=True)


def _list(as_json: bool) -> None:
    from zoo.console.output import console_out, print_json
    from zoo.training.texts.finetuning_recipe import list_finetune_recipes, load_finetune_recipe

    recipes = {name: load_finetune_recipe(name) for name in list_finetune_recipes()}
    if as_json:
        print_json({name: recipe.to_dict() for name, recipe in recipes.items()})
        return
    for name, recipe in recipes.items():
        console_out.print(f"{name:20} {recipe.description} ({recipe.source})", highlight=False, soft_wrap=True)

"""`zoo finetune`: a model learns the classes of one's own images, or a text encoder a task of GLUE."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.console.completion import finetune_names
from zoo.data.glue import GLUE

if TYPE_CHECKING:
    from zoo.training.images.train_images import TrainResult
    from zoo.training.recipe import Recipe
    from zoo.training.texts.finetune_texts import FinetuneResult
    from zoo.training.texts.finetuning_recipe import FinetuneRecipe

Model = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL|RECIPE",
        help="Images: any name of a model, such as salunet_c18_cifar.cifar10, timm/resnet18, a converted or run "
        "folder. Texts: a text model likewise, or the recipe glue. Or a .toml file.",
        show_default=False,
        autocompletion=finetune_names,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Images: one folder per class, with or without train/ and val/ above. Texts: a .csv or .jsonl file with "
        "text and label. Default: the Hub."
    ),
]
Output = Annotated[Path | None, typer.Option(help="Folder of the run. Default: one below runs/.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="How often every image or text is seen.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Learning rate of the last layers.")]
Batch = Annotated[int | None, typer.Option(min=1, help="Images or texts behind one step.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of the split, the order and everything random.")]
Freeze = Annotated[str | None, typer.Option(help="Images: backbone trains the classifier alone; none trains all.")]
Size = Annotated[int | None, typer.Option(min=1, help="Images: side in pixels. Default: the model's own.")]
Patience = Annotated[int | None, typer.Option(min=1, help="Images: stop after so many epochs without gain.")]
Dataset = Annotated[str | None, typer.Option(help="Images: a known dataset, or ORG/NAME of the Hub.")]
Task = Annotated[str | None, typer.Option(help="Texts: the GLUE task.", autocompletion=GLUE.names)]
Act = Annotated[str | None, typer.Option(help="Texts: fles, gelu, silu, ... in the encoder.")]
Start = Annotated[str | None, typer.Option(help="Texts: folder or Hub repository of the pretrained BERT.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field: --set optimizer.layer_decay=1")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the best available.")]
Events = Annotated[bool, typer.Option("--tensorboard", help="Images: write events for TensorBoard into the run.")]
ListAll = Annotated[bool, typer.Option("--list", help="List the shipped recipes and stop.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("finetune")(finetune_command)


def finetune_command(
    model: Model = None,
    data: Data = None,
    output: Output = None,
    resume: Resume = False,
    epochs: Epochs = None,
    lr: Rate = None,
    batch_size: Batch = None,
    seed: Seed = None,
    freeze: Freeze = None,
    img_size: Size = None,
    patience: Patience = None,
    dataset: Dataset = None,
    task: Task = None,
    act: Act = None,
    start: Start = None,
    sets: Sets = None,
    device: Device = None,
    tensorboard: Events = False,
    list_all: ListAll = False,
    as_json: AsJson = False,
) -> None:
    """Teach a model your classes; the same command with --resume goes on after a kill.

    zoo finetune salunet_c18_cifar.cifar10 --data photos/

    zoo finetune fles_minilm_l6.sst2 --data reviews.csv

    The run's folder is a name of the model from then on: zoo evaluate, predict and export take it. A task of GLUE:
    zoo finetune glue --task rte. Several processes: torchrun --nproc-per-node 8 -m zoo finetune ...
    """
    if list_all:
        _list(as_json)
        return
    if model is None:
        raise typer.BadParameter("name a model, or a recipe; `zoo finetune --list` shows them.", param_hint="MODEL")
    from zoo.console.interrupt import on_interrupt
    from zoo.devices import leave_processes
    from zoo.hub.at_once import at_once
    from zoo.training.finetuning import choose_recipe, finetune
    from zoo.training.images.train_images import TrainResult

    fields: dict[str, Any] = {
        "epochs": epochs, "lr": lr, "batch_size": batch_size, "seed": seed, "freeze": freeze, "img_size": img_size,
        "patience": patience, "dataset": dataset, "task": task, "act": act, "start": start,
    }  # fmt: skip
    chosen = choose_recipe(model, sets or (), fields)
    try:
        with on_interrupt(lambda: _kept(chosen, data, output)), at_once():
            result = finetune(chosen, data, output=output, resume=resume, device=device, tensorboard=tensorboard)
    finally:
        leave_processes()
    if not result.main:
        return
    if isinstance(result, TrainResult):
        _report_images(result, data, as_json)
    else:
        _report_texts(result, as_json)


def _kept(recipe: "Recipe | FinetuneRecipe", data: Path | None, output: Path | None) -> str:
    from zoo.console.interrupt import run_kept
    from zoo.training.finetuning import last_checkpoint, run_folder

    folder = run_folder(recipe, data, output)
    return run_kept(folder, last_checkpoint(folder))


def _report_images(result: "TrainResult", data: Path | None, as_json: bool) -> None:
    """Figures, and the commands that come next, which take the run's folder as it is."""
    import shlex

    from zoo.console.output import console_out, print_json, shortest_path

    folder = shortest_path(result.output)
    summary, split = result.summary, result.summary["data"]["eval_split"]
    images = ["--dataset", summary["data"]["dataset"], *([] if data is None else ["--data", str(data)])]
    steps = [
        # What was split off has no name to evaluate it by.
        *([] if "," in split else [["zoo", "evaluate", folder, *images, "--split", split]]),
        ["zoo", "predict", "--model", folder, "IMAGE"],
        ["zoo", "export", folder, "--target", "edge_cpu", "--output", f"{Path(folder).name}.edge_cpu.onnx"],
    ]
    commands = [shlex.join(step) for step in steps]
    if as_json:
        print_json({"output": str(result.output), "weights": str(result.weights), "next": commands} | summary)
        return
    best, classes = summary["best_top1"], summary["data"]["num_classes"]
    console_out.print(
        f"Top-1 {best:.2f} % of {summary['data']['eval_images']} images held back, {classes} classes, "
        f"after {summary['wall_clock_s'] / 60:.1f} min",
    )
    console_out.print(f"The model: {folder}", soft_wrap=True)
    console_out.print("Next:")
    for command in commands:
        console_out.print(f"  {command}", soft_wrap=True)


def _report_texts(result: "FinetuneResult", as_json: bool) -> None:
    import shlex

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
    shown = shown or f"Not measured: {result.summary['unmeasured']}"
    console_out.print(f"{shown}  after {result.summary['seconds'] / 60:.1f} min")
    console_out.print(f"Weights: {result.output}", soft_wrap=True)
    console_out.print("zoo evaluate and zoo export take that folder. To make a card of it:")
    console_out.print(command, soft_wrap=True)


def _list(as_json: bool) -> None:
    from zoo.console.output import print_json
    from zoo.console.tables import print_facts
    from zoo.training.finetuning import IMAGES
    from zoo.training.parse import list_recipes, load_recipe
    from zoo.training.texts.finetuning_recipe import list_finetune_recipes, load_finetune_recipe

    recipes: dict[str, Any] = {name: load_finetune_recipe(name) for name in list_finetune_recipes()}
    recipes |= {name: load_recipe(name, ["model.name=MODEL"]) for name in list_recipes() if name == IMAGES}
    if as_json:
        print_json({name: recipe.to_dict() for name, recipe in recipes.items()})
        return
    print_facts((name, f"{recipe.description} ({recipe.source})") for name, recipe in recipes.items())

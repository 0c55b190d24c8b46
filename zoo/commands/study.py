"""`zoo study`: short experiments on the papers' claims."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo._files import check_writable, write_json

Data = Annotated[Path | None, typer.Option(help="Local folder of CIFAR-10; without it: from the Hub.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each kind, each with a seed of its own.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the folder of --output stands.")]
Report = Annotated[Path | None, typer.Option(help="Write everything measured to this JSON file.")]
Picture = Annotated[Path | None, typer.Option(help="Draw the picture into this .png file.")]
Show = Annotated[Path | None, typer.Option(metavar="REPORT", help="Run nothing: show what --report wrote.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ... Default: the best available.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `study` and its subcommands to the command line."""
    study = typer.Typer(name="study", help="Repeat a paper's claim in small, and judge it.", no_args_is_help=True)
    study.command("batch-size")(batch_size)
    study.command("plasticity")(plasticity)
    app.add_typer(study)


def plasticity(
    data: Data = None,
    seeds: Seeds = 5,
    epochs: Annotated[int, typer.Option(min=2, help="Epochs of each run.")] = 50,
    output: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/study_plasticity"),
    resume: Resume = False,
    report: Report = None,
    picture: Picture = None,
    show: Show = None,
    device: Device = None,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = True,
    as_json: AsJson = False,
) -> None:
    """How PReLU's slope moves behind BatchNorm, behind nothing and behind SALU (figure 1 of the SaluNet paper).

    Trains a 4-layer CNN on CIFAR-10, three kinds by SEEDS runs; a killed study goes on with --resume.
    """
    from zoo.studies import plot_plasticity, read_report, run_plasticity
    from zoo.studies.plasticity.run import RECIPE
    from zoo.training import load_recipe

    def run() -> dict[str, Any]:
        recipe = load_recipe(RECIPE, [f"schedule.epochs={epochs}", f"runtime.compile={str(compiled).lower()}"])
        return run_plasticity(data=data, output=output, seeds=seeds, recipe=recipe, resume=resume, device=device)

    _check(report, picture)
    found = run() if show is None else read_report(show, "plasticity")
    _deliver(found, report, picture, plot_plasticity, _plasticity_table, as_json)


def batch_size(
    data: Data = None,
    samples: Annotated[int, typer.Option(min=1, help="Training images of each run, a multiple of 512.")] = 8192,
    seeds: Seeds = 1,
    output: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/study_batch_size"),
    resume: Resume = False,
    report: Report = None,
    picture: Picture = None,
    show: Show = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """SaluNet-C-18 and BN+ReLU at batch sizes 1, 4, 32 and 512 (table 9 of the SaluNet paper), in one short pass.

    Every run sees the same images in the same order; each finds its learning rate on held-out training images. A
    killed study goes on with --resume.
    """
    from zoo.studies import plot_batch_size, read_report, run_batch_size

    def run() -> dict[str, Any]:
        return run_batch_size(data=data, output=output, samples=samples, seeds=seeds, resume=resume, device=device)

    _check(report, picture)
    found = run() if show is None else read_report(show, "batch-size")
    _deliver(found, report, picture, plot_batch_size, _batch_size_table, as_json)


def _check(*files: Path | None) -> None:
    """Refuse before hours of work what could not be written after them."""
    for file in files:
        if file is not None:
            check_writable(file)


def _deliver(
    found: dict[str, Any],
    report: Path | None,
    picture: Path | None,
    draw: Callable[[Mapping[str, Any], Path], Path],
    tabulate: Callable[[Mapping[str, Any]], Any],
    as_json: bool,
) -> None:
    from rich.markup import escape

    from zoo.commands._output import console_out, print_json

    if report is not None:
        write_json(report, found)
    if picture is not None:
        draw(found, picture)
    if as_json:
        print_json(found)
        return
    console_out.print(tabulate(found))
    console_out.print(escape(found["verdict"]["sentence"]), highlight=False)


def _plasticity_table(found: Mapping[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    recipe, data = found["recipe"], found["data"]["train"]
    title = f"First PReLU's slope, {recipe['schedule']['epochs']} epochs of {data['images']:,} images"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("before PReLU")
    for name in ("runs", "final", "total change", "late change", "late range", "Top-1 (%)"):
        table.add_column(name, justify="right")
    for stabiliser, row in found["summary"].items():
        figures = ("final", "total_change", "late_change", "late_range", "top1")
        cells = [_spread(row[name], 2 if name == "top1" else 3) for name in figures] if row["runs"] else ["-"] * 5
        table.add_row(stabiliser, str(row["runs"]), *cells)
    return table


def _batch_size_table(found: Mapping[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    data = found["data"]
    title = f"One pass over {data['train']['images']:,} images, {data['evaluation']['images']:,} test images"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    columns = ("batch size", "network", "steps", "lr", "training loss", "Top-1 (%)", "by batch statistics", "s")
    for name in columns:
        table.add_column(name, justify="left" if name == "network" else "right")
    for row in found["table"]:
        lost = f"{row['diverged']} of {row['runs']} diverged"
        top1 = "" if row["top1"] is None else f"{row['top1']:.2f} ± {row['top1_se']:.2f}"
        table.add_row(
            str(row["batch_size"]),
            row["network"],
            f"{row['steps']:,}",
            ", ".join(f"{rate:g}" for rate in row["lr"]),
            _number(row["train_loss"], 3),
            ", ".join(filter(None, [top1, lost if row["diverged"] else ""])),
            _number(row["top1_batch_statistics"], 2),
            _number(row["seconds"], 0),
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _spread(value: Mapping[str, float | None], digits: int) -> str:
    mean, std = value["mean"], value["std"]
    return _number(mean, digits) + ("" if std is None else f" ± {std:.{digits}f}")

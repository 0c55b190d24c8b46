"""`zoo analyze`: what a model learned, and how it carries a signal."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.console.completion import image_tags
from zoo.data.image_dataset import DATASETS

if TYPE_CHECKING:
    from zoo.report.analyze_model import Analysis
    from zoo.report.cells import Table

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL.TAG|FOLDER",
        help="MODEL.TAG, a model or run folder, or fresh:MODEL.",
        show_default=False,
        autocompletion=image_tags,
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        help=f"Images: one of {', '.join(DATASETS)}. With --data alone: what the weights were trained on.",
        autocompletion=lambda: DATASETS.names(),
    ),
]
Data = Annotated[Path | None, typer.Option(help="Local folder of the images. With --dataset alone: from the Hub.")]
Split = Annotated[str | None, typer.Option(help="Default: the dataset's own for evaluation.")]
Images = Annotated[int, typer.Option(min=2, help="How many, evenly spaced over the split.")]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="Compare with this: MODEL.TAG, a folder, `fresh` (untrained), `fresh,act=relu`.",
        autocompletion=lambda: ["fresh", *image_tags()],
    ),
]
Output = Annotated[Path | None, typer.Option(help="Folder of the report. Default: analysis/NAME; none with --json.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Images per batch.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N. Default: a GPU if there is one.")]
Bound = Annotated[bool, typer.Option("--bound/--no-bound", help="Bound the whole network: decomposes every layer.")]
Html = Annotated[bool, typer.Option("--html/--no-html", help="Write report.html beside the pictures.")]
Layers = Annotated[bool, typer.Option("--layers", help="Print the tables of every layer as well.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the findings as JSON, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `analyze` to the command line."""
    app.command("analyze")(analyze_command)


def analyze_command(
    model: Model,
    dataset: Dataset = None,
    data: Data = None,
    split: Split = None,
    images: Images = 1000,
    baseline: Baseline = None,
    output: Output = None,
    batch_size: BatchSize = 50,
    device: Device = None,
    bound: Bound = True,
    html: Html = True,
    layers: Layers = False,
    as_json: AsJson = False,
) -> None:
    """Look into a model for images: learned geometry, representation, bounds and gains, variance map, coefficients.

    Without --data and --dataset only what the weights say is computed. The report's folder receives analysis.json,
    the pictures and report.html, one file that can be sent and read anywhere.
    """
    from rich.text import Text

    from zoo.console.output import console_err, print_json
    from zoo.console.visible import visible
    from zoo.files import check_writable
    from zoo.report.analyze_model import analyze
    from zoo.report.report_files import JSON_FILE, write_report

    folder = output if output is not None or as_json else Path("analysis") / _folder_name(model)
    if folder is not None:
        check_writable(folder / JSON_FILE)
    with console_err.status(Text(visible(f"Looking into {model} ..."))):
        found = analyze(
            model, dataset=dataset, data=data, split=split, images=images, baseline=baseline,
            batch_size=batch_size, device=device, bound=bound,
        )  # fmt: skip
    # Printed first: findings that cannot be written are not lost.
    print_json(found.to_dict()) if as_json else _print(found, layers)
    if folder is not None:
        written = write_report(found, folder, page=html)
        if not as_json:
            _print_files(folder, written)


def _folder_name(model: str) -> str:
    """A folder's name from whatever the model was asked for by."""
    return re.sub(r"[^\w.=-]+", "-", Path(model).name or model).strip("-.") or "model"


def _print(found: "Analysis", layers: bool) -> None:
    from rich.text import Text

    from zoo.console.output import console_out
    from zoo.report.sections import sections

    subject, images = found.subject, found.images
    seen = f"{images.count:,} images of {images.dataset}" if images else "the weights alone"
    console_out.print(Text.assemble((subject.name, "bold"), f", {subject.weights}: {seen}"))
    if found.baseline:
        console_out.print(f"Baseline: {found.baseline.name}, {found.baseline.weights}")
    for section in sections(found):
        shown = [table for table in section.tables if layers or not table.detail]
        if shown:
            console_out.print(f"\n{section.title}", style="bold")
        for table in shown:
            _print_table(table)
    for note in found.notes:
        console_out.print(note, style="yellow")


def _print_table(table: "Table") -> None:
    from zoo.console.output import console_out
    from zoo.console.tables import Column, print_table

    console_out.print(table.caption, style="italic")
    columns = [Column(name, figures=number >= table.text_columns) for number, name in enumerate(table.head)]
    print_table(columns, table.rows)


def _print_files(folder: Path, written: list[Path]) -> None:
    from zoo.console.output import console_out

    console_out.print(f"\nWritten to {folder}: ", end="", soft_wrap=True)
    console_out.print(", ".join(file.name for file in written), soft_wrap=True)

"""`zoo evaluate`: accuracy of a model or exported file on a dataset."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo._devices import is_main_process, leave_processes
from zoo._files import check_writable, write_json
from zoo.commands._output import console_out, print_json, progress
from zoo.data.vision import DATASETS

if TYPE_CHECKING:
    from zoo.evaluation import EvalResult

_DEVICES, _PRECISIONS = ("cpu", "cuda", "mps"), ("float32", "bfloat16", "float16")


def register(app: typer.Typer) -> None:
    """Add `evaluate` to the command line."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    model: Annotated[str, typer.Argument(metavar="MODEL|FILE", help="MODEL.TAG, a model folder, or FILE.onnx.")],
    dataset: Annotated[
        str,
        typer.Option(help=f"One of {', '.join(DATASETS)}.", autocompletion=lambda: DATASETS.names()),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Local folder: parquet as on the Hub, or a folder per class. Default: the Hub.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Default: the dataset's own for evaluation.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 128,
    img_size: Annotated[int | None, typer.Option(min=1, help="Pixels, such as 288. Default: the model's.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many images, evenly spaced.")] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda, cuda:N or mps. Default: the best there is.", autocompletion=lambda: _DEVICES),
    ] = None,
    precision: Annotated[
        str, typer.Option(help=f"One of {', '.join(_PRECISIONS)}.", autocompletion=lambda: _PRECISIONS)
    ] = "float32",
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes. Default: up to 4.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")] = False,
) -> None:
    """Measure Top-1, Top-5 and loss on a dataset.

    The result (--output, --json) holds everything needed to repeat it. Several processes share the work and give the
    same figures: torchrun --nproc-per-node 2 -m zoo evaluate ...
    """
    from zoo.evaluation import evaluate

    main = is_main_process()
    if output is not None and main:
        check_writable(output)
    try:
        result = evaluate(
            model,
            dataset,
            data=data,
            split=split,
            batch_size=batch_size,
            img_size=img_size,
            limit=limit,
            device=device,
            precision=precision,
            workers=_default_workers() if workers is None else workers,
            progress=progress,
        )
    finally:
        leave_processes()
    if not main:
        return
    # Printed first: a result that cannot be written is not lost.
    print_json(result.to_dict()) if as_json else _print_table(result)
    if output is not None:
        write_json(output, result.to_dict())


def _default_workers() -> int:
    """One core stays free for the model; more than four decoders rarely help. Other processes get their share."""
    share = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(0, min(4, share - 1))


def _print_table(result: "EvalResult") -> None:
    from rich.table import Table

    size = result.preprocess.input_size
    table = Table("", "", show_header=False, title=f"{result.model} on {result.dataset}", title_justify="left")
    for name, value in (
        ("Top-1", f"{result.top1:.2f} %  ({result.correct1:,} of {result.n:,})"),
        ("Top-5", f"{result.top5:.2f} %  ({result.correct5:,} of {result.n:,})"),
        ("Loss", f"{result.loss:.4f}"),
        ("Split", result.split or "the whole folder"),
        ("Input", f"{size[1]}x{size[2]} px, {result.preprocess.interpolation}, crop {result.preprocess.crop_pct:g}"),
        ("Run", f"{result.precision} on {result.device} ({result.hardware}), batch {result.batch_size}"),
        ("Speed", f"{result.images_per_second:,.0f} images/s, {result.seconds:.1f} s, decoding included"),
    ):
        table.add_row(name, value)
    console_out.print(table)

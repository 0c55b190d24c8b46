"""`zoo evaluate`: figures of a model or exported file on an image dataset or a GLUE task."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.commands._describe import Labels, Preprocessing, described
from zoo.console.completion import tags
from zoo.console.interrupt import on_interrupt
from zoo.console.output import console_err, print_json, progress
from zoo.data.glue import GLUE, METRICS
from zoo.data.image_dataset import DATASETS
from zoo.devices import is_main_process, leave_processes
from zoo.files import check_writable, write_json

if TYPE_CHECKING:
    from zoo.evaluation.result import EvalResult, Evaluation, TextResult

_DEVICES, _PRECISIONS = ("cpu", "cuda", "mps"), ("float32", "bfloat16", "float16")

Model = Annotated[
    str, typer.Argument(metavar="MODEL|FILE", help="MODEL.TAG, a model folder, or FILE.onnx.", autocompletion=tags)
]
Dataset = Annotated[
    str | None,
    typer.Option(help=f"Images: one of {', '.join(DATASETS)}.", autocompletion=lambda: DATASETS.names()),
]
Task = Annotated[
    str | None,
    typer.Option(
        help=f"Texts, of GLUE: one of {', '.join(GLUE)}; or own, for a file of texts (--data).",
        autocompletion=lambda: GLUE.names(),
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Local folder: parquet as on the Hub, or a folder per class. Default: the Hub."),
]
Split = Annotated[str | None, typer.Option(help="Default: the dataset's own for evaluation.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Images or texts per batch.")]
Size = Annotated[int | None, typer.Option(min=1, help="Images: pixels, such as 288. Default: the model's.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only so many images or texts, evenly spaced.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:N or mps. Default: the best there is.", autocompletion=lambda: _DEVICES),
]
Precision = Annotated[str, typer.Option(help=f"One of {', '.join(_PRECISIONS)}.", autocompletion=lambda: _PRECISIONS)]
Workers = Annotated[int | None, typer.Option(min=0, help="Images: decoding processes. Default: up to 4.")]
Classes = Annotated[
    Path | None, typer.Option(help="Images: JSON file, class of the data to class of the model (name or number).")
]
Skip = Annotated[bool, typer.Option("--skip-unreadable", help="Images: leave out what cannot be decoded, and list it.")]
PerClass = Annotated[Path | None, typer.Option(help="Images: write images and right answers of each class as CSV.")]
Output = Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `evaluate` to the command line."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    model: Model,
    dataset: Dataset = None,
    task: Task = None,
    data: Data = None,
    split: Split = None,
    batch_size: BatchSize = 128,
    img_size: Size = None,
    limit: Limit = None,
    device: Device = None,
    precision: Precision = "float32",
    workers: Workers = None,
    classes: Classes = None,
    skip_unreadable: Skip = False,
    labels: Labels = None,
    preprocess: Preprocessing = None,
    per_class: PerClass = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Measure Top-1, Top-5 and loss on a dataset of images, or the official metrics on a task of GLUE.

    The result (--output, --json) holds everything needed to repeat it. Several processes share the work and give the
    same figures: torchrun --nproc-per-node 2 -m zoo evaluate ...
    """
    _check_usage(dataset, task, img_size, workers, classes, skip_unreadable, per_class, labels, preprocess)
    main = is_main_process()
    for file in filter(None, (output, per_class) if main else ()):
        check_writable(file)
    options: dict[str, Any] = {"data": data, "split": split, "batch_size": batch_size, "limit": limit,
                               "device": device, "precision": precision, "progress": progress}  # fmt: skip
    if dataset is not None:
        options |= {
            "img_size": img_size,
            "workers": _default_workers() if workers is None else workers,
            "classes": None if classes is None else _class_map(classes),
            **described(labels, preprocess),
            "skip_unreadable": skip_unreadable,
        }
    try:
        with on_interrupt(lambda: "Figures of a part are not kept: start again, or measure fewer with --limit N."):
            result = _measure(model, dataset, task, options)
    finally:
        leave_processes()
    if not main:
        return
    # Printed first: a result that cannot be written is not lost.
    print_json(result.to_dict()) if as_json else _print_table(result)
    for reason in result.source.get("skipped", []):
        console_err.print(f"Skipped: {reason}", soft_wrap=True)
    if output is not None:
        write_json(output, result.to_dict())
    if per_class is not None:
        _write_per_class(per_class, result, data)  # type: ignore[arg-type]


def _check_usage(dataset: str | None, task: str | None, *images_only: object) -> None:
    """Refuse options that exclude each other, as wrong usage."""
    if (dataset is None) == (task is None):
        problem = (
            "name what to measure on" if dataset is None else "a model takes images or texts: they exclude each other"
        )
        raise typer.BadParameter(
            f"{problem}; --dataset for images, --task for a task of GLUE.", param_hint="--dataset / --task"
        )
    if task is not None and any(option is not None and option is not False for option in images_only):
        hint = "--img-size / --workers / --classes / --skip-unreadable / --per-class / --labels / --preprocess"
        raise typer.BadParameter("for images only; leave it out with --task.", param_hint=hint)


def _class_map(file: Path) -> dict[str, str | int]:
    from pydantic import StrictInt, StrictStr

    from zoo.records import read

    form = 'class map, {"class of the data": "class of the model", or its number}'
    found: dict[str, str | int] = read(dict[str, StrictStr | StrictInt], file, form)
    return found


def _write_per_class(file: Path, result: "EvalResult", data: Path | None) -> None:
    """One row for each class that was measured: its number, its name in the data, images, right ones, percent."""
    from zoo.data.vision import load_vision
    from zoo.files import write_csv

    mapped: dict[str, int] = result.source.get("classes") or {}
    names = {number: name for name, number in mapped.items()} or dict(
        enumerate(load_vision(result.dataset, result.split, data).labels)
    )
    counts = zip(result.classes.images, result.classes.correct, strict=True) if result.classes else ()
    rows = [
        (number, names.get(number, ""), images, right, f"{100 * right / images:.2f}")
        for number, (images, right) in enumerate(counts)
        if images
    ]

    write_csv(file, [("class", "name", "images", "correct", "top1"), *rows])


def _measure(model: str, dataset: str | None, task: str | None, options: dict[str, Any]) -> "Evaluation":
    from zoo.evaluation.evaluator import evaluate, evaluate_text

    return evaluate_text(model, str(task), **options) if dataset is None else evaluate(model, dataset, **options)


def _default_workers() -> int:
    """One core stays free for the model; more than four decoders rarely help. Other processes get their share."""
    share = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(0, min(4, share - 1))


def _print_table(result: "Evaluation") -> None:
    from zoo.console.tables import print_facts
    from zoo.evaluation.result import TextResult

    rows = _text_rows(result) if isinstance(result, TextResult) else _image_rows(result)  # type: ignore[arg-type]
    changed = (("Weights", f"changed since {result.changed_since}"),) if result.changed_since else ()
    run = f"{result.precision} on {result.device} ({result.hardware}), batch {result.batch_size}"
    print_facts((*rows[:-1], *changed, ("Run", run), rows[-1]), f"{result.model} on {result.dataset}")


def _image_rows(result: "EvalResult") -> list[tuple[str, str]]:
    size = result.preprocess.input_size
    return [
        ("Top-1", f"{result.top1:.2f} %  ({result.correct1:,} of {result.n:,})"),
        ("Top-5", f"{result.top5:.2f} %  ({result.correct5:,} of {result.n:,})"),
        ("Loss", f"{result.loss:.4f}"),
        ("Split", result.split or "the whole folder"),
        ("Input", f"{size[1]}x{size[2]} px, {result.preprocess.interpolation}, crop {result.preprocess.crop_pct:g}"),
        ("Speed", f"{result.images_per_second:,.0f} images/s, {result.seconds:.1f} s, decoding included"),
    ]


def _text_rows(result: "TextResult") -> list[tuple[str, str]]:
    counted = f"  ({result.correct:,} of {result.n:,})" if result.correct is not None else ""
    figures = [
        (
            METRICS[name][0].upper() + METRICS[name][1:],
            f"{100 * value:.2f} (x100)" if name != "accuracy" else f"{100 * value:.2f} %{counted}",
        )
        for name, value in result.metrics.items()
    ]
    return [
        *figures,
        ("Loss", f"{result.loss:.4f}"),
        ("Split", f"{result.split}, {result.n:,} texts"),
        ("Input", f"up to {result.preprocess.max_length} tokens"),
        ("Speed", f"{result.texts_per_second:,.0f} texts/s, {result.seconds:.1f} s, tokenizer included"),
    ]

"""`zoo export` and `zoo validate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.bench_command import bench_command
from export.targets import TARGETS, list_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from export.parity.report import ParityReport

ModelArgument = Annotated[str, typer.Argument(help="MODEL or MODEL.TAG, a local folder or file, or hf-hub:org/repo.")]
Pretrained = Annotated[bool, typer.Option(help="Load the published weights; without, random ones.")]
ImgSize = Annotated[int | None, typer.Option(min=1, help="Height and width of images, if not the model's own.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="What parity is checked on: a folder of images, or that of --dataset; a file with a text on each line, or "
        "the folder of --task. Default: 20 images of CIFAR-10, 40 English texts."
    ),
]
Dataset = Annotated[str | None, typer.Option(help="Take the parity images from this dataset, as `zoo evaluate` does.")]
Task = Annotated[str | None, typer.Option(help="Take the parity texts from this GLUE task, as `zoo evaluate` does.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of ONNX Runtime. Default: all cores.")]
_TARGETS = " ".join(f"{name}: {TARGETS.get(name).description}" for name in TARGETS)
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the `zoo` command."""
    app.command("export")(export_command)
    app.command("validate")(validate_command)
    app.command("bench")(bench_command)


def export_command(
    model: ModelArgument,
    target: Annotated[
        str, typer.Option(help=f"Where the file will run. {_TARGETS}", autocompletion=list_targets)
    ] = "portable",
    precision: Annotated[
        str | None, typer.Option(help="What the file computes in. Default: the target's first.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file, *.onnx. Default: MODEL.TAG.onnx here.")
    ] = None,
    pretrained: Pretrained = True,
    img_size: ImgSize = None,
    data: Data = None,
    dataset: Dataset = None,
    task: Task = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained ONNX file, proven to compute what PyTorch computes, or nothing."""
    from export.pipeline import export
    from zoo.commands._output import console_err, console_out, print_json

    with _parity_bar() as on_progress:
        result = export(
            model,
            output,
            target=target,
            precision=precision,
            samples=_samples(dataset, task, data),
            pretrained=pretrained,
            img_size=img_size,
            threads=threads,
            on_plan=lambda plan: console_err.print(plan.render(), markup=False, highlight=False, soft_wrap=True),
            on_step=lambda step: console_err.print(f"{step.name} ...", markup=False, highlight=False),
            on_progress=on_progress,
        )
    if as_json:
        print_json(result.to_dict())
        return
    console_out.print(_table(f"{result.model} for {result.target}", _export_rows(result.to_dict(), result.parity)))


def validate_command(
    file: Annotated[Path, typer.Argument(help="An ONNX file written by `zoo export`.")],
    model: ModelArgument,
    pretrained: Pretrained = True,
    img_size: ImgSize = None,
    data: Data = None,
    dataset: Dataset = None,
    task: Task = None,
    threads: Threads = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write the report to this file; FILE.parity.json puts it back.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Repeat the parity check of an exported file; the exit status is 1 if it fails."""
    from export.errors import ParityError
    from export.verify import validate
    from zoo._files import check_writable
    from zoo.commands._output import console_out, print_json

    if report_file is not None:
        check_writable(report_file)
    with _parity_bar() as on_progress:
        report = validate(
            file,
            model,
            samples=_samples(dataset, task, data),
            pretrained=pretrained,
            img_size=img_size,
            threads=threads,
            on_progress=on_progress,
        )
    if report_file is not None:
        report.save(report_file)
    if as_json:
        print_json(report.to_dict())
    else:
        console_out.print(_table(f"{file.name} against {report.model}", _parity_rows(report)))
    if not report.passed:
        problems = "\n".join(report.failures()[:6])
        raise ParityError(f"{file} fails.\n{problems}\nFirst difference: {report.first_difference}.")


def _samples(dataset: str | None, task: str | None, data: Path | None) -> Any:
    """Images of a named dataset's test split, texts of a task's split for evaluation, or the path itself, or nothing.

    Raises:
        ConfigurationError: both a dataset and a task are named.
    """
    if dataset is not None and task is not None:
        from zoo.errors import ConfigurationError

        raise ConfigurationError("Both --dataset (images) and --task (texts) are given. Leave one of them out.")
    if dataset is not None:
        from zoo.data.vision import load_vision

        return load_vision(dataset, None, data)
    if task is not None:
        from zoo.data.glue import load_glue

        return load_glue(task, None, data)
    return data


def _parity_bar() -> "AbstractContextManager[Callable[[int, int], None]]":
    """A bar that appears with the first probe, when their number is known."""
    from contextlib import ExitStack, contextmanager

    from zoo.commands._output import progress

    @contextmanager
    def bar() -> "Iterator[Callable[[int, int], None]]":
        with ExitStack() as stack:
            shown: list[Callable[[int], None]] = []

            def advance(_done: int, total: int) -> None:
                if not shown:
                    shown.append(stack.enter_context(progress("parity", total)))
                shown[0](1)

            yield advance

    return bar()


def _export_rows(result: dict[str, Any], report: "ParityReport") -> list[tuple[str, str]]:
    work = result["elementwise"]
    operators = ", ".join(f"{count} {name}" for name, count in list(result["nodes"].items())[:6])
    return [
        ("file", str(result["path"])),
        ("size", f"{result['size_bytes'] / 1e6:.1f} MB, opset {result['opset']}, IR version {result['ir_version']}"),
        ("nodes", f"{sum(result['nodes'].values())}: {operators}, ..."),
        ("elementwise", f"{work['nodes']} nodes move {work['bytes'] / 1e6:,.1f} MB at batch size 1"),
        *_parity_rows(report),
        ("report", str(result["parity_path"])),
    ]


def _parity_rows(report: "ParityReport") -> list[tuple[str, str]]:
    return [
        ("parity", report.summary()),
        (report.kind, report.samples),
        (
            "against float64",
            report.float64
            or f"max rel {report.worst('max_rel_float64', report.kind):.1e}, "
            f"PyTorch's own {report.worst('own_rel_float64', report.kind):.1e}",
        ),
        ("ran on", f"{', '.join(report.providers)}, onnxruntime {report.versions['onnxruntime']}"),
    ]


def _table(title: str, rows: list[tuple[str, str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("", "", title=title, show_header=False, title_justify="left")
    for name, value in rows:
        table.add_row(Text(name), Text(value, overflow="fold"))
    return table

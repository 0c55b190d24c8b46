"""`zoo validate`."""

from pathlib import Path
from typing import Annotated

import typer

from export.commands.options import (
    AsJson,
    Data,
    Dataset,
    ImgSize,
    ModelArgument,
    Pretrained,
    Task,
    Threads,
    parity_bar,
    samples_of,
)
from export.commands.tables import parity_rows


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
    from export.pipeline.verify import validate
    from zoo.console.output import print_json
    from zoo.console.tables import print_facts
    from zoo.files import check_writable

    if report_file is not None:
        check_writable(report_file)
    with parity_bar() as on_progress:
        report = validate(
            file,
            model,
            samples=samples_of(dataset, task, data),
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
        print_facts(parity_rows(report), f"{file.name} against {report.model}")
    if not report.passed:
        problems = "\n".join(report.failures()[:6])
        raise ParityError(f"{file} fails.\n{problems}\nFirst difference: {report.first_difference}.")

"""`zoo compare`: finished runs side by side, over their seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.files import check_writable, write_json

if TYPE_CHECKING:
    from zoo.evaluation.run_comparison import Comparison

Runs = Annotated[list[Path], typer.Argument(help="Output folders of `zoo train` and `zoo finetune`.")]
Output = Annotated[Path | None, typer.Option(help="Write every run and the means to this JSON file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add `compare` to the command line."""
    app.command("compare")(compare_command)


def compare_command(runs: Runs, output: Output = None, as_json: AsJson = False) -> None:
    """Group finished runs by what differs in their recipes; mean and standard deviation over the seeds of each group.

    The scores are those each run measured at its end, in percent.
    """
    from zoo.console.output import print_json
    from zoo.evaluation.run_comparison import compare_runs

    if output is not None:
        check_writable(output)
    found = compare_runs(runs)
    print_json(found.to_dict()) if as_json else _print(found)
    if output is not None:
        write_json(output, found.to_dict())


def _print(found: "Comparison") -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from zoo.console.output import console_out

    table = Table(box=box.SIMPLE_HEAD)
    for column in (*found.varied, "metric", "runs", "mean", "std"):
        table.add_column(column, overflow="fold")
    for group in found.groups:
        means, deviations = group.mean, group.std
        for name, value in means.items():
            std = deviations[name]
            cells = [*(str(v) for v in group.values.values()), name, str(len(group.runs)), f"{value:.2f}"]
            table.add_row(*map(escape, cells), "-" if std is None else f"{std:.2f}")
    console_out.print(table)

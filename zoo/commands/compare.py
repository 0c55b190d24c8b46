"""`zoo compare`: finished runs side by side, over their seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.files import check_writable, write_json

if TYPE_CHECKING:
    from zoo.evaluation.run_comparison import Comparison, Group

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
    """A column for each group: what tells it apart, its runs, and mean ± standard deviation of each metric."""
    from zoo.console.output import console_out
    from zoo.console.tables import Column, print_table

    groups = found.groups
    heads = [f"group {number}" for number in range(1, len(groups) + 1)]
    rows = [[name, *(str(group.values[name]) for group in groups)] for name in found.varied]
    rows.append(["runs", *(str(len(group.runs)) for group in groups)])
    metrics = list(dict.fromkeys(name for group in groups for name in group.mean))
    rows += [[f"{name} %", *(_mean(group, name) for group in groups)] for name in metrics]
    print_table(["", *(Column(head, figures=True) for head in heads)], rows)
    console_out.print("Mean over the runs, ± standard deviation where there are several.")


def _mean(group: "Group", name: str) -> str:
    if name not in group.mean:
        return "-"
    std = group.std[name]
    return f"{group.mean[name]:.2f}" + ("" if std is None else f" ± {std:.2f}")

"""Options that the commands of `zoo bench` share, and what becomes of their results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.benchmarks.machine import Machine

Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N. Default: a GPU if there is one.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of PyTorch on the host. Default: as it is set.")]
Warmup = Annotated[int, typer.Option(min=1, help="Turns of all sides before the timed ones.")]
Mark = Annotated[bool, typer.Option("--mark-gpu", help="On a CPU: list the rows of a GPU too, as not measured.")]
Output = Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]

NOT_MEASURED = "not measured"


def announce(what: str) -> None:
    """Say on stderr what is timed next."""
    from zoo.console.output import console_err

    console_err.print(f"timing {what} ...", markup=False, highlight=False)


def deliver(found: dict[str, Any], table: "Table", output: Path | None, as_json: bool) -> None:
    """Print a result, then write it: one that cannot be written is not lost."""
    from zoo.console.output import console_out, print_json
    from zoo.files import write_json

    print_json(found) if as_json else console_out.print(table)
    if output is not None:
        write_json(output, found)


def make_table(title: str, words: int, columns: tuple[str, ...]) -> "Table":
    """An empty table, whose first columns hold words and the others figures."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < words else "right", no_wrap=place >= words)
    return table


def place_of(machine: "Machine") -> str:
    """The device, the hardware and, on a GPU, the host's threads, in a few words."""
    return f"{machine.device} ({machine.hardware})" + (
        "" if machine.device == "cpu" else f", {machine.threads} threads"
    )

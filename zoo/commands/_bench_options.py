"""Options that the commands of `zoo bench` share, and what becomes of their results."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zoo.benchmarks.machine import Machine
    from zoo.console.tables import Column

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

    console_err.print(f"timing {what} ...")


def deliver(found: dict[str, Any], show: Callable[[], None], output: Path | None, as_json: bool) -> None:
    """Print a result, then write it: one that cannot be written is not lost."""
    from zoo.console.output import print_json
    from zoo.files import write_json

    print_json(found) if as_json else show()
    if output is not None:
        write_json(output, found)


def columns_of(names: Iterable[str], words: int, optional: Iterable[str]) -> "list[Column]":
    """Columns of a table, of which the first hold words and the others figures."""
    from zoo.console.tables import Column

    spare = set(optional)
    return [Column(name, place >= words, name in spare) for place, name in enumerate(names)]


def place_of(machine: "Machine") -> str:
    """The device, the hardware and, on a GPU, the host's threads, in a few words."""
    return f"{machine.device} ({machine.hardware})" + (
        "" if machine.device == "cpu" else f", {machine.threads} threads"
    )

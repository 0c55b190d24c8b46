"""The commands that this package adds to `zoo`, one file each."""

from collections.abc import Callable

import typer

from export.commands.bench import bench_command
from export.commands.export import export_command
from export.commands.options import TARGETS_HELP
from export.commands.page import page_command
from export.commands.validate import validate_command
from export.commands.warm import warm_command

COMMANDS: dict[str, Callable[..., None]] = {
    "export": export_command,
    "validate": validate_command,
    "bench": bench_command,
    "page": page_command,
    "warm": warm_command,
}


def register(app: typer.Typer) -> None:
    """Add the commands to the `zoo` command."""
    for name, command in COMMANDS.items():
        app.command(name, epilog=TARGETS_HELP if command is export_command else None)(command)

"""The commands that this package adds to `zoo`, one file each."""

from collections.abc import Callable
from typing import Any

import typer

from export.commands.about import about_target
from export.commands.bench import bench_command
from export.commands.export import export_command
from export.commands.options import TARGETS_HELP
from export.commands.page import page_command
from export.commands.validate import validate_command
from export.commands.warm import warm_command
from export.targets import list_targets
from zoo.console.bench_group import USUAL, bench_group

COMMANDS: dict[str, Callable[..., None]] = {
    "export": export_command,
    "validate": validate_command,
    "page": page_command,
    "warm": warm_command,
}


TOPICS: dict[str, tuple[Callable[[], list[str]], Callable[[str], dict[str, Any]]]] = {
    "target": (list_targets, about_target)
}
"""Kind to (names, facts of one): what `zoo info` explains besides what it knows itself."""


def register(app: typer.Typer) -> None:
    """Add the commands to the `zoo` command."""
    for name, command in COMMANDS.items():
        app.command(name, epilog=TARGETS_HELP if command is export_command else None)(command)
    bench_group(app).command(USUAL)(bench_command)

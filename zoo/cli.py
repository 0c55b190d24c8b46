"""The `zoo` command: finds its subcommands, runs one, and turns errors into something short to read.

Nothing heavy is imported here or in the modules found here, so that `--help` and completion answer at once.
"""

import importlib.metadata
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.text import Text
from typer.core import TyperGroup
from typer.main import get_command

import zoo.commands
from zoo.console import PLUGIN_GROUP
from zoo.console.output import console_err
from zoo.errors import ConfigurationError, ZooError
from zoo.registry import import_submodules

HELP = """
Normalisation-free networks with SALU, SWALU and GALU: from a name to a trained, measured and deployed model.

Start with [bold]zoo list[/bold]. Each command explains itself: [bold]zoo COMMAND --help[/bold].
"""


@dataclass
class Settings:
    """Settings from the options before the subcommand."""

    debug: bool = False


class ZooGroup(TyperGroup):
    """The top-level command, with a plain answer to Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen subcommand.

        Raises:
            typer.Exit: with status 130, the shell's own for an interrupt, when the user stopped it.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console_err.print("Interrupted.")
            raise typer.Exit(130) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"salu-zoo {zoo.__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", envvar="ZOO_DEBUG", help="Show the traceback of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.ensure_object(Settings).debug = debug


def build_app() -> typer.Typer:
    """Return the command with every subcommand of `zoo/commands/` and of the installed plug-ins.

    Raises:
        ConfigurationError: an installed plug-in's entry point does not load.
    """
    app = typer.Typer(
        name="zoo",
        cls=ZooGroup,
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for module in import_submodules(zoo.commands):
        module.register(app)
    for entry in sorted(importlib.metadata.entry_points(group=PLUGIN_GROUP), key=lambda found: found.name):
        try:
            register = entry.load()
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"The plug-in {entry.name!r} ({entry.value}) does not load: {error}. Reinstall or remove its package."
            ) from error
        register(app)
    return app


def show_error(error: Exception) -> None:
    """Print `error` on stderr: in a terminal as a panel that fits the screen, in a log as plain lines, uncut."""
    expected = isinstance(error, ZooError)
    message = str(error) if expected else f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not expected:
        message += "\nNobody foresaw this error. Run `zoo --debug ...` to see where it comes from."
    if not console_err.is_terminal:
        typer.echo(f"Error: {message}", err=True)
        return
    lines = [line for part in message.splitlines() for line in _wrapped(part, console_err.width - 4)]
    room = max(8, console_err.height - 6)
    if len(lines) > room:
        lines = [*lines[:room], f"... and {len(lines) - room} more lines; `zoo --debug ...` shows them."]
    console_err.print(Panel(Text("\n".join(lines)), title="Error", title_align="left", border_style="red"))


def _wrapped(line: str, width: int) -> list[str]:
    return [part.plain.rstrip() for part in Text(line).wrap(console_err, width)] or [""]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `zoo` with `arguments` (default: those of the process) and exit.

    Exit status: 0 done, 1 an error, 2 wrong usage, 130 interrupted.
    """
    settings = Settings()
    given = None if arguments is None else list(arguments)
    try:
        get_command(build_app()).main(args=given, prog_name="zoo", obj=settings)
    except Exception as error:
        if settings.debug:
            raise
        show_error(error)
        sys.exit(1)

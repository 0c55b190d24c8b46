"""The `zoo` command: finds its subcommands, runs one, and turns errors into something short to read.

Nothing heavy is imported here or in the modules found here, so that `--help` and completion answer at once.
"""

import importlib.metadata
import io
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.text import Text
from typer.main import get_command

import zoo.commands
from zoo.console import PLUGIN_GROUP
from zoo.console.help_texts import CommandGroup, HelpContext
from zoo.console.interrupt import INTERRUPTED
from zoo.console.output import console_err, say
from zoo.console.visible import visible
from zoo.errors import ConfigurationError, ZooError
from zoo.registry import import_submodules

WHAT = "Networks whose activations learn their shape: trained, measured, deployed."
HELP = f"""
{WHAT}

Start with `zoo list`. Each command explains itself: `zoo COMMAND --help`.
"""
ROAD = f"""\
{WHAT}

  zoo finetune salunet_c18_cifar.cifar10 --data photos
      Teach a model your classes: a folder of images for each.
  zoo evaluate salunet_c18_cifar.cifar10 --dataset cifar10
      Measure a model or an exported file.
  zoo predict photo.png --model salunet_c18_cifar.cifar10
      Say what is on a picture.
  zoo export salunet_c18_cifar.cifar10 --target edge_cpu
      Write a file for deployment, proven to compute what PyTorch computes.
  zoo info salunet_c18_cifar
      Explain a model, weights, a recipe, a target: anything with a name.

All commands: zoo --help"""


NOISE = (
    "No CUDA runtime is found",  # torch.compile, on a machine with CUDA's compiler and no GPU
    "This DataLoader will create",  # more workers than cores: what the user asked for
    "This process .* is multi-threaded, use of fork",  # of each worker, from Python 3.12 on
)
"""How the messages begin."""
_LONGEST_PATH = 300


@dataclass
class Settings:
    """Settings from the options before the subcommand."""

    debug: bool = False


class ZooGroup(CommandGroup):
    """The top-level command, with a plain answer to Ctrl-C."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Write the help of every command as that of the group."""
        for command in self.commands.values():
            for one in (command, *getattr(command, "commands", {}).values()):
                one.context_class = HelpContext
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen subcommand.

        Raises:
            typer.Exit: with status 130, the shell's own for an interrupt, when the user stopped it.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console_err.print("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except typer.BadParameter as error:  # printed by typer, and names files and what they hold
            error.message = visible(error.message)
            raise


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"salu-zoo {zoo.__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", envvar="ZOO_DEBUG", help="Show the traceback of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.ensure_object(Settings).debug = debug
    if context.invoked_subcommand is None:
        say(ROAD)


def build_app() -> typer.Typer:
    """Return the command with every subcommand of `zoo/commands/` and of the installed plug-ins.

    Raises:
        ConfigurationError: an installed plug-in's entry point does not load.
    """
    app = typer.Typer(
        name="zoo",
        cls=ZooGroup,
        help=HELP,
        invoke_without_command=True,
        rich_markup_mode=None,  # boxes of three columns leave the texts too little room
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
    message = str(error) if isinstance(error, ZooError) else _of_a_path(error)
    if message is None:
        message = f"{type(error).__name__}: {' '.join(str(error).split())}\n"
        message += "Nobody foresaw this error. Run `zoo --debug ...` to see where it comes from."
    if not console_err.is_terminal:
        say(f"Error: {message}", err=True)
        return
    lines = [line for part in message.splitlines() for line in _wrapped(part, console_err.width - 4)]
    room = max(8, console_err.height - 6)
    if len(lines) > room:
        lines = [*lines[:room], f"... and {len(lines) - room} more lines; `zoo --debug ...` shows them."]
    console_err.print(Panel(Text("\n".join(lines)), title="Error", title_align="left", border_style="red"))


def _of_a_path(error: Exception) -> str | None:
    """What the system says of a file or folder that cannot be used, wherever a command stumbled over it, or None."""
    if not isinstance(error, OSError) or not isinstance(error.filename, str | bytes) or not error.strerror:
        return None
    path = os.fsdecode(error.filename)
    shown = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}... ({len(path):,} characters)"
    advice = "Check what you may read and write there." if isinstance(error, PermissionError) else "Check the path."
    return f"Cannot use {shown}: {error.strerror.lower()}. {advice} `zoo --debug ...` shows where it is used."


def _show_traceback(*error: Any) -> None:
    say("".join(traceback.format_exception(*error)).rstrip(), err=True)


def _wrapped(line: str, width: int) -> list[str]:
    return [part.plain.rstrip() for part in Text(line).wrap(console_err, width)] or [""]


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    say(warnings.formatwarning(message, category, filename, lineno, line).rstrip(), err=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what libraries say and nobody can act on; see `NOISE`."""
    said = re.compile("|".join(NOISE))
    logger = logging.getLogger("torch.utils.cpp_extension")

    def matters(record: logging.LogRecord) -> bool:
        return said.match(record.getMessage()) is None

    logger.addFilter(matters)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            for text in NOISE:
                warnings.filterwarnings("ignore", text)
            yield
    finally:
        logger.removeFilter(matters)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `zoo` with `arguments` (default: those of the process) and exit.

    Exit status: 0 done, 1 an error, 2 wrong usage, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an encoding that lacks a character ends no command
    settings = Settings()
    given = None if arguments is None else list(arguments)
    try:
        with _quiet():
            get_command(build_app()).main(args=given, prog_name="zoo", obj=settings)
    except KeyboardInterrupt:  # before a command runs
        sys.exit(INTERRUPTED)
    except Exception as error:
        if settings.debug:
            sys.excepthook = _show_traceback
            raise
        show_error(error)
        sys.exit(1)

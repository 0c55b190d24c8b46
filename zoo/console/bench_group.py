"""`zoo bench` as a group of commands, of which one is meant where the first word is none of them."""

from typing import Any

import typer

from zoo.console.help_texts import CommandGroup

NAME = "bench"
USUAL = "files"
HELP = """
Measure speed: of exported files, of operators, of training steps.

`zoo bench MODEL` is short for `zoo bench files MODEL`; its options are below.
"""


class BenchGroup(CommandGroup):
    """A group in which `zoo bench MODEL` means `zoo bench files MODEL`, in help and completion as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual command in front where none is named."""
        named = not args or args[0] in self.commands or args[0] in ctx.help_option_names
        return super().parse_args(ctx, args if named or USUAL not in self.commands else [USUAL, *args])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands, and what may follow the usual one: its options or the values of its first argument."""
        found = super().shell_complete(ctx, incomplete)
        usual = self.commands.get(USUAL)
        if usual is None:
            return found
        with usual.make_context(USUAL, [], parent=ctx, resilient_parsing=True) as inner:
            if incomplete.startswith("-"):
                return found + usual.shell_complete(inner, incomplete)
            first = next(parameter for parameter in usual.params if parameter.param_type_name == "argument")
            return found + first.shell_complete(inner, incomplete)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of the group, and then that of the usual command."""
        super().format_help(ctx, formatter)
        usual = self.commands.get(USUAL)
        if usual is not None:
            with usual.make_context(USUAL, [], parent=ctx, resilient_parsing=True) as inner:
                usual.format_help(inner, formatter)


def bench_group(app: typer.Typer) -> typer.Typer:
    """The group of this command line, added where it is not there yet: whoever registers first makes it."""
    for info in app.registered_groups:
        if info.name == NAME and info.typer_instance is not None:
            return info.typer_instance
    group = typer.Typer(help=HELP, cls=BenchGroup, no_args_is_help=True)
    app.add_typer(group, name=NAME)
    return group

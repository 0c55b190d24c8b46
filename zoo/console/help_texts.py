"""Help that is read on any screen: whole first sentences, options never broken at their hyphens."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

_UNBROKEN = "\u2011"  # a hyphen at which no line is broken
_NARROW = 78
_Context: Any = TyperGroup.context_class


class Formatter(_Context.formatter_class):  # type: ignore[misc, name-defined]
    """The usual formatter; in a narrow terminal the names of options stand above their texts."""

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(text.replace("-", _UNBROKEN))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and texts side by side."""
        widest = col_max if self.width >= _NARROW else min(col_max, self.width // 3)
        super().write_dl([(name, text.replace("-", _UNBROKEN)) for name, text in rows], widest, col_spacing)

    def getvalue(self) -> str:
        """Everything written."""
        return str(super().getvalue()).replace(_UNBROKEN, "-")


class HelpContext(_Context):
    """A context whose help is written by `Formatter`."""

    formatter_class = Formatter


class CommandGroup(TyperGroup):
    """A group whose help shows the whole first sentence of each command."""

    context_class = HelpContext

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in found if command is not None]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

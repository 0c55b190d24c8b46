"""Tables of every command, fitted to the screen: a word or number is shown whole, or ends in an ellipsis.

Where the columns do not fit side by side, less important ones are left out and long words shortened; on a narrow screen
a table of many columns becomes one record for each row. In a file or pipe everything is whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from zoo.console import output
from zoo.console.visible import visible

NARROW, MANY = 80, 4
"""Below so many cells of width a table of more columns than this becomes records, unless it fits as it is."""
_SHORTEST, _EASIEST = 12, 28
"""Words are shortened to so many cells at most, and read easily in a column of so many."""
_GAP = 2
_PIPED = 160


@dataclass(frozen=True)
class Column:
    """A column and how it may give way.

    Args:
        head: its title.
        figures: numbers, aligned to the right and never shortened or broken into lines.
        optional: left out first where there is no room; of several the last.
    """

    head: str
    figures: bool = False
    optional: bool = False


def print_table(columns: Iterable[Column | str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows of text under their columns, or as records where the screen is too narrow.

    Args:
        columns: from left to right; a text alone is the head of a column of words.
        rows: a cell for each column.
        title: a line above.
    """
    every = [Column(column) if isinstance(column, str) else column for column in columns]
    cells = [[visible(cell) for cell in row] for row in rows]
    width = output.console_out.width
    if output.is_piped(output.console_out):
        every = [replace(column, optional=False) for column in every]
        width = max(_PIPED, _needed(_easy(every, cells)))
    shown = _fitted(every, cells, width)
    _print_title(title, output.console_out)
    if shown is None:
        _print_records(every, cells)
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, size in shown.items():
        justify: JustifyMethod = "right" if every[place].figures else "left"
        table.add_column(Text(every[place].head), width=size, justify=justify, overflow="ellipsis")
    for row in cells:
        table.add_row(*(_text(row[place], size) for place, size in shown.items()))
    output.console_out.print(table)


def print_facts(facts: Iterable[tuple[str, str]], title: str = "", screen: Console | None = None) -> None:
    """Print names and, beside each or under it, what is known; long paths are broken after a slash.

    Args:
        facts: name and text.
        title: a line above.
        screen: None for stdout.
    """
    pairs = [(visible(name), visible(value)) for name, value in facts]
    screen = screen or output.console_out
    indent = max((cell_len(name) for name, _ in pairs), default=0) + _GAP
    beside = screen.width - indent >= 2 * _SHORTEST
    indent = indent if beside else _GAP
    _print_title(title, screen)
    for name, value in pairs:
        room = screen.width - indent
        lines = _text(value, room).wrap(screen, room, overflow="ellipsis")
        if not beside:
            _print_title(name, screen)
        for number, line in enumerate(lines):
            head = set_cell_size(name if beside and number == 0 else "", indent)
            screen.print(Text.assemble((head, "bold"), line), soft_wrap=True)


def _print_title(title: str, screen: Console) -> None:
    if title:
        screen.print(Text.assemble((_text(title, screen.width).plain, "bold")), overflow="ellipsis")


def _print_records(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Each row on its own: its first cell, and under it the others by name; empty ones are left out."""
    for number, (first, *rest) in enumerate(rows):
        if number:
            output.console_out.print()
        heads = (column.head.replace("\n", " ") for column in columns[1:])
        print_facts([(head, cell) for head, cell in zip(heads, rest, strict=True) if cell], title=first)


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> dict[int, int] | None:
    """Place of each column shown to its width in cells; None where records are better."""
    least = _least(columns, rows)
    if _needed(least) > width and width < NARROW and len(columns) > MANY:
        return None
    wanted, easy = _wanted(columns, rows), _easy(columns, rows)
    for place in reversed([place for place, column in enumerate(columns) if column.optional]):
        if _needed(easy) > width:
            del easy[place]
    sizes = easy if _needed(easy) <= width else {place: least[place] for place in easy}
    words = [place for place in sizes if not columns[place].figures]
    while _needed(sizes) > width:
        widest = max(words, key=lambda place: sizes[place], default=None)
        if widest is None or sizes[widest] <= _SHORTEST:
            return None
        sizes[widest] -= 1
    while _needed(sizes) < width and (short := [place for place in sizes if sizes[place] < wanted[place]]):
        sizes[max(short, key=lambda place: wanted[place] / sizes[place])] += 1
    return sizes


def _least(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """The width at which nothing has to be shortened: the longest word, of figures the longest cell."""
    return {
        place: max(
            _longest(column.head),
            *(max(_lines_of(row[place])) if column.figures else _longest(row[place]) for row in rows),
            1,
        )
        for place, column in enumerate(columns)
    }


def _wanted(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """The width at which no cell is broken into lines."""
    return {place: max(_lines_of(column.head, *(row[place] for row in rows))) for place, column in enumerate(columns)}


def _easy(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """The width from which a cell is read easily."""
    wanted = _wanted(columns, rows)
    return {place: max(size, min(wanted[place], _EASIEST)) for place, size in _least(columns, rows).items()}


def _needed(sizes: dict[int, int]) -> int:
    return sum(sizes.values()) + _GAP * (len(sizes) - 1)


def _longest(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _lines_of(*texts: str) -> list[int]:
    return [cell_len(line) for text in texts for line in text.split("\n")]


def _text(value: str, room: int) -> Text:
    return Text("\n".join(" ".join(_at_slashes(word, room) for word in line.split(" ")) for line in value.split("\n")))


def _at_slashes(path: str, room: int) -> str:
    """A path that is longer than a line, broken after slashes into parts that fit."""
    if cell_len(path) <= room:
        return path
    lines = [""]
    for part in path.replace("/", "/\n").split("\n"):
        if lines[-1] and cell_len(lines[-1] + part) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)

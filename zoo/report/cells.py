"""Tables as text: what they are made of."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zoo.analysis.stages import DOWNSAMPLING

NONE = "–"  # noqa: RUF001 as in the paper's tables


@dataclass(frozen=True)
class Table:
    """A table of text.

    Args:
        caption: above it.
        head: names of the columns.
        rows: their cells.
        text_columns: how many columns at the left hold words; the others hold numbers.
        detail: whether it is too long to be shown unasked.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1
    detail: bool = False

    def trimmed(self) -> "Table":
        """The same without the columns that hold nothing, such as those of measurements that were not made."""
        kept = [i for i in range(len(self.head)) if any(row[i] != NONE for row in self.rows)]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return replace(self, head=tuple(self.head[i] for i in kept), rows=rows)


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, without exponent where that stays short."""
    if value is None:
        return NONE
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:#.{digits}g}".rstrip(".") if abs(value) < 10**digits else f"{value:.0f}"
    return f"{value:.{digits - 1}e}"


def groups(keys: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Different keys in the order they come; the kind first where there are two, downsampling after the stages."""
    different = list(dict.fromkeys(keys))
    first = list(dict.fromkeys(key[0] for key in different)) if different and len(different[0]) > 1 else []
    return sorted(different, key=lambda k: (first.index(k[0]) if first else 0, k[-1] == DOWNSAMPLING))

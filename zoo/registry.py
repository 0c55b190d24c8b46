"""Named things in one place: a name is added once, looked up with help, listed in order."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Generic, TypeVar

from zoo.errors import DuplicateNameError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from names to things of one kind.

    Args:
        kind: what the things are, in the singular; used in error messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Add `item` under `name` and return it.

        Raises:
            DuplicateNameError: `name` is taken.
        """
        if name in self._items:
            raise DuplicateNameError(f"{self.kind} {name!r} is already registered; choose another name.")
        self._items[name] = item
        return item

    def get(self, name: str, hint: str = "") -> T:
        """Return the item called `name`.

        Raises:
            UnknownNameError: there is none; the message offers the nearest names.
        """
        try:
            return self._items[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._items, hint) from None

    def names(self) -> list[str]:
        """All names in natural order: c18 before c101."""
        return sorted(self._items, key=_natural)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self._items)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def import_submodules(package: ModuleType) -> list[ModuleType]:
    """Import every public module directly inside `package`, in order of name, so that each can register itself.

    Packages inside it are left alone: they are imported by whoever needs them.
    """
    found = pkgutil.iter_modules(package.__path__, package.__name__ + ".")
    return [importlib.import_module(m.name) for m in sorted(found, key=lambda m: m.name) if _is_public(m)]


def _is_public(found: pkgutil.ModuleInfo) -> bool:
    return not found.ispkg and "._" not in found.name

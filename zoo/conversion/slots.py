"""Slots that hold modules: each is one attribute of one parent, so two slots never share what is put into them."""

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn


@dataclass(frozen=True, eq=False)
class Slot:
    """A place for a module in a model.

    Args:
        path: its name in the model, such as "blocks.0.mlp.act".
        aliases: further names of the same place, where its parent is registered more than once.
        parent: the module that holds it.
        name: its attribute there.
        module: what it held when it was found.
    """

    path: str
    aliases: tuple[str, ...]
    parent: nn.Module
    name: str
    module: nn.Module

    def put(self, module: nn.Module) -> None:
        """Hold another module from now on."""
        self.parent.register_module(self.name, module)

    def matches(self, pattern: str) -> bool:
        """True if a shell-style pattern fits one of its names; `*` goes across dots."""
        return any(fnmatchcase(path, pattern) for path in (self.path, *self.aliases))


def find_slots(model: nn.Module) -> list[Slot]:
    """Every slot of a model, in the order of its modules."""
    paths: dict[nn.Module, list[str]] = defaultdict(list)
    for path, module in model.named_modules(remove_duplicate=False):
        paths[module].append(path)
    found = []
    for parent, names in paths.items():
        for name, child in parent._modules.items():
            if child is not None:
                first, *others = (f"{path}.{name}" if path else name for path in names)
                found.append(Slot(first, tuple(others), parent, name, child))
    return found


def ancestors(model: nn.Module, path: str) -> list[nn.Module]:
    """The modules around a path, from the model inwards, without the one at the path itself."""
    parts = path.split(".")[:-1]
    return [model, *(model.get_submodule(".".join(parts[: i + 1])) for i in range(len(parts)))]

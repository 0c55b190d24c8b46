"""Every error a user of `zoo` can cause, as one tree.

A message says three things: what was asked, what was found, and what to do.
"""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to five of the known names that resemble `name`, the most similar first; case does not count."""
    spelt = {other.lower(): other for other in sorted(known)}
    return [spelt[found] for found in difflib.get_close_matches(name.lower(), spelt, n=5, cutoff=0.5)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """A sentence to end an error with: the nearest names or, where nothing is like `name`, what names there are."""
    names = sorted(known)
    near = nearest(name, names)
    if near:
        return f"Nearest: {', '.join(near)}."
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"Known: {shown or '(none)'}."


class ZooError(Exception):
    """Base of every error this project raises on purpose; the command line prints it without a traceback."""


class UnknownNameError(ZooError, LookupError):
    """A name that no registry holds.

    Args:
        kind: what was looked up, in the singular ("model", "dataset").
        name: what the user asked for.
        known: the names that exist.
        hint: a closing sentence that says what to do, if the default is not enough.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = list(known)
        super().__init__(f"Unknown {kind} {name!r}. {suggestion(name, names)}" + (f" {hint}" if hint else ""))
        self.kind, self.name, self.nearest = kind, name, nearest(name, names)


class DuplicateNameError(ZooError):
    """Two entries of one registry claim the same name; a programming error of the second."""


class WeightsNotFoundError(ZooError):
    """No weights are published, stored or reachable for what was asked."""


class WeightsMismatchError(ZooError):
    """The weights are readable but do not fit: other keys, other shapes, another model, another hash, NaN."""


class WeightsCorruptError(ZooError):
    """The weights file cannot be read: truncated, damaged or of another format."""


class PublishError(ZooError):
    """A card cannot be put on the Hub: it is not fit, there is no token, or the Hub refuses or does not answer."""


class ShapeError(ZooError, ValueError):
    """An input has the wrong size, number of channels or rank."""


class DataNotFoundError(ZooError):
    """A dataset, split or image folder is not where the user said, or cannot be fetched."""


class RecipeError(ZooError, ValueError):
    """A training recipe names an unknown field, holds a bad value or does not fit the model or data."""


class DivergedError(ZooError):
    """Loss or gradient became infinite or NaN while training."""


class OutputError(ZooError):
    """The result cannot be written: a read-only or missing folder, a full disk, a path that is a folder."""


class ConfigurationError(ZooError, ValueError):
    """Arguments that contradict each other or the model they are for."""


class NativeError(ZooError):
    """Compiled C++ cannot be had: no compiler, one that refuses, no place to keep it, or no load."""


class KernelMismatchError(ZooError):
    """A fused kernel and the definition it stands for disagree by more than rounding; its speed is not shown."""


class BenchmarkError(ZooError):
    """A measurement failed, so there is no figure."""

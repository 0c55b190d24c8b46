"""The targets: one file each, whose `TARGET` is found by itself."""

import sys

from export.errors import TargetError
from export.export_target import ExportTarget
from zoo.errors import UnknownNameError
from zoo.registry import Registry, import_submodules

__all__ = ["TARGETS", "ExportTarget", "get_precision", "get_target", "list_targets"]

TARGETS: Registry[ExportTarget] = Registry("export target")
for _module in import_submodules(sys.modules[__name__]):
    TARGETS.add(_module.TARGET.name, _module.TARGET)


def list_targets() -> list[str]:
    """Names of all targets, sorted."""
    return TARGETS.names()


def get_target(name: str) -> ExportTarget:
    """Return the target called `name`.

    Raises:
        TargetError: there is none; the message offers the nearest names.
    """
    try:
        return TARGETS.get(name)
    except UnknownNameError as error:
        raise TargetError("export target", name, TARGETS) from error


def get_precision(target: ExportTarget, asked: str | None = None) -> str:
    """Return what a file for `target` computes in: what is asked for, or the target's first precision.

    Raises:
        TargetError: the target has no such precision; the message says which it has.
    """
    if asked is not None and asked not in target.precisions:
        raise TargetError(f"precision of target {target.name}", asked, target.precisions)
    return asked or target.precisions[0]

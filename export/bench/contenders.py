"""Files that `zoo bench` times: a model exported for each target, and its twin for what those are compared with."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn

import zoo
from export.bench.timed_files import Contender
from export.export_target import ExportTarget
from export.inputs.random_weights import seeded, stir
from export.parity.shipped import shipped_images
from export.pipeline.export_model import export
from export.quantize.request import ANY_ACCURACY
from export.runtime.engine import engine_here
from export.targets import get_precision, get_target, list_targets
from zoo.conversion.base import build_base
from zoo.errors import ConfigurationError
from zoo.models.build import find_spec, list_models
from zoo.names import NamedModel, open_model


def timed_targets(asked: Sequence[str] | None = None) -> list[ExportTarget]:
    """The targets asked for, or all that run on this machine's CPU.

    Raises:
        TargetError: no such target.
        ConfigurationError: one that is asked for does not run here; a stand-in's time would be none.
    """
    if not asked:
        return [target for target in map(get_target, list_targets()) if not _missing(target)]
    targets = [get_target(name) for name in dict.fromkeys(asked)]
    for target in targets:
        if reason := _missing(target):
            raise ConfigurationError(f"Target {target.name} cannot be timed here: {reason}.")
    return targets


def _missing(target: ExportTarget) -> str:
    """Return the reason why a file for the target is not run here as it will be; empty if it is."""
    return engine_here(target, get_precision(target)).not_run


def export_contenders(
    model: str,
    targets: Sequence[ExportTarget],
    changes: dict[str, str],
    folder: Path,
    threads: int | None = None,
    on_export: Callable[[str], None] = lambda _: None,
) -> list[Contender]:
    """Export a model and its twin, each twin once.

    Args:
        model: any name of a model with a twin (see `zoo.names`); without weights it gets random ones, the same each
            time; see `stir`.
        targets: what to export the model for.
        changes: arguments of `zoo.create_model` that make the twin, over those of its spec.
        folder: where the files go.
        threads: of the parity checks.
        on_export: called with the label of each file before it is made.

    Raises:
        ZooError: whatever `export` raises.
    """
    with seeded():
        named = open_model(model, pretrained=None if model in list_models() else True)
        twin, called = _twin(named, changes)
    network = named.model
    if named.sha256 is None:
        stir(network)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for label, of_twin, target, against in _list(Path(model).name, called, targets):
        on_export(label)
        path = folder / f"{label.replace(' + ', '_').replace(', ', '.')}.onnx"
        export(twin if of_twin else network, path, target=target.name, threads=threads, **_extra(target))
        found.append(Contender(label, path, against))
    return found


def _twin(named: NamedModel, changes: dict[str, str]) -> tuple[nn.Module, str]:
    """The network a model is compared with, and how it is called.

    Raises:
        ConfigurationError: there is none: the model is not one of the zoo, and was not converted from one.
    """
    if named.base["kind"] == "converted":
        if changes:
            raise ConfigurationError(f"{named.name} is compared with the network it was converted from; no changes.")
        return build_base(named.base["base"]), "unconverted"
    if named.base["kind"] != "zoo":
        raise ConfigurationError(
            f"{named.name} is a model of {named.base['kind']}, which has no twin to be compared with. Convert it "
            "(zoo convert), and time the folder of that against it."
        )
    name = named.base["name"].partition(".")[0]
    wanted = dict(find_spec(name).twin) | changes
    return zoo.create_model(name, pretrained=False, **wanted), " + ".join(wanted.values())  # type: ignore[arg-type]


def _list(
    model: str, twin: str, targets: Sequence[ExportTarget]
) -> Iterator[tuple[str, bool, ExportTarget, str | None]]:
    """Label, whether it is the twin, target, and the label of what it is compared with; twins before their models."""
    made = set()
    for target in targets:
        baseline = get_target(target.baseline or target.name)
        against = f"{twin}, {baseline.name}"
        if against not in made:
            made.add(against)
            yield against, True, baseline, None
        yield f"{model}, {target.name}", False, target, against


def _extra(target: ExportTarget) -> dict[str, Any]:
    if get_precision(target) != "int8":
        return {}
    return {"calibration": shipped_images(), "budget": ANY_ACCURACY}

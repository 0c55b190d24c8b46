"""The geometry each SALU, SWALU and GALU of a model has learned: S and W, by layer and by stage."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from zoo.activations.algebra import Pair
from zoo.activations.algebra import geometry as invariants
from zoo.activations.galu import GALU
from zoo.activations.salu import SALU
from zoo.activations.swalu import SWALU
from zoo.analysis.stages import DOWNSAMPLING, stage_of
from zoo.errors import ConfigurationError
from zoo.numerics.saturating_unit import guard
from zoo.records import Record

KINDS: tuple[type[SALU | SWALU | GALU], ...] = (SALU, SWALU, GALU)


@dataclass(frozen=True)
class LayerGeometry(Record):
    """One SALU, SWALU or GALU of a model.

    Args:
        layer: its path in the model.
        kind: "SALU", "SWALU" or "GALU".
        stage: the part of the network it stands in; see `zoo.analysis.stages.stage_of`.
        a: the learned a as it takes effect: the slope of SALU at 0, its largest.
        b: the learned b as it takes effect.
        saturation: S = sqrt(a/b), the supremum of |SALU|; of a gate, that of the SALU inside it.
        width: W = 1/sqrt(a·b): for inputs well below it SALU is linear.
    """

    layer: str
    kind: str
    stage: str
    a: float
    b: float
    saturation: float
    width: float

    @property
    def pair(self) -> Pair:
        """(a, b), as `zoo.activations.algebra` takes it."""
        return Pair(self.a, self.b)

    @property
    def is_gate(self) -> bool:
        """True if it is a SWALU or GALU."""
        return self.kind != "SALU"


@dataclass(frozen=True)
class StageGeometry(Record):
    """Mean and standard deviation of S and W over the layers of one kind in one stage: a row of the paper's table.

    Args:
        stage: its name.
        kind: "SALU", "SWALU" or "GALU".
        n: layers.
        saturation_mean: mean of S.
        saturation_std: sample standard deviation (n - 1) of S; None for a single layer, a dash in the paper's table.
        width_mean: mean of W.
        width_std: sample standard deviation of W; None likewise.
    """

    stage: str
    kind: str
    n: int
    saturation_mean: float
    saturation_std: float | None
    width_mean: float
    width_std: float | None


def learned_pairs(model: nn.Module) -> Iterator[tuple[str, SALU | SWALU | GALU]]:
    """Path and module of every SALU, SWALU and GALU, in the order of the model's modules."""
    return ((path, module) for path, module in model.named_modules() if isinstance(module, KINDS))


def geometry(model: nn.Module) -> list[LayerGeometry]:
    """S and W of every SALU, SWALU and GALU of a model, in the order of its modules; computed in float64.

    Source: arXiv 2606.02927, sections 2.1 and 5.4.1.

    Raises:
        ConfigurationError: there is none in it.
    """
    found = [describe_layer(path, module) for path, module in learned_pairs(model)]
    if not found:
        raise ConfigurationError(
            f"{type(model).__name__} has no SALU, SWALU or GALU, so there is no S and W to look at."
        )
    return found


def stage_geometry(layers: Sequence[LayerGeometry]) -> list[StageGeometry]:
    """Group layers as table 6 of arXiv 2606.02927 does: by kind, then by stage in order, downsampling after the stages.

    The table has SALU only; SWALU and GALU are grouped in the same way [ours].
    """
    groups: dict[tuple[str, str], list[LayerGeometry]] = {}
    for layer in layers:
        groups.setdefault((layer.kind, layer.stage), []).append(layer)
    order = {kind.__name__: place for place, kind in enumerate(KINDS)}
    keys = sorted(groups, key=lambda key: (order[key[0]], key[1] == DOWNSAMPLING))
    return [_summary(stage, kind, groups[kind, stage]) for kind, stage in keys]


def describe_layer(path: str, module: SALU | SWALU | GALU) -> LayerGeometry:
    """S and W of one module, in float64.

    Raises:
        ConfigurationError: its a or b is not finite.
    """
    a, b = (guard(p.detach().double()).item() for p in (module.a, module.b))
    if not (math.isfinite(a) and math.isfinite(b)):
        raise ConfigurationError(f"{path}: a={a}, b={b} are not finite, so S and W are not defined. Use other weights.")
    kind = next(kind.__name__ for kind in KINDS if isinstance(module, kind))
    s, w = invariants(Pair(a, b))
    return LayerGeometry(path, kind, stage_of(path), a, b, float(s), float(w))


def _summary(stage: str, kind: str, layers: Sequence[LayerGeometry]) -> StageGeometry:
    s, w = [layer.saturation for layer in layers], [layer.width for layer in layers]
    return StageGeometry(stage, kind, len(layers), statistics.fmean(s), _std(s), statistics.fmean(w), _std(w))


def _std(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None

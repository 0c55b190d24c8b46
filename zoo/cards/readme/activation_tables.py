"""Card tables of the learned activations: S and W by stage, and FleS's coefficients by layer."""

from collections.abc import Mapping
from typing import Any

from zoo.analysis.coefficients import LayerCoefficients
from zoo.analysis.geometry import LayerGeometry, stage_geometry
from zoo.cards.datasets import title_of
from zoo.cards.markdown import code, number, table
from zoo.models.build import find_spec
from zoo.weights.tag import PretrainedTag

_HEAD = (
    "layer", "channels", "κ_ve median", "κ_ve 5-95 %", "κ_ve within", "κ_ho median", "κ_ho 5-95 %", "κ_ho within"
)  # fmt: skip


_TITLES = {"batchnorm": "BatchNorm", "layernorm": "LayerNorm", "relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}


def before(tag: PretrainedTag) -> dict[str, str]:
    """Name what SALU and gates replaced: BatchNorm and ReLU in a convolutional net, LayerNorm and GELU with tokens."""
    spec = find_spec(tag.model)
    gate = str(tag.model_args.get("act", spec.act)).upper()
    norm, act = spec.twin.get("norm", "batchnorm"), spec.twin["act"]
    return {"norm": _TITLES.get(norm, norm), "act": _TITLES.get(act, act), "gate": gate}


def geometry_table(tag: PretrainedTag) -> str:
    """S and W by kind and stage, as table 6 of the SaluNet paper groups them; "" where nothing is stored."""
    stored = tag.results.get("geometry")
    if not stored:
        return ""
    stages = stage_geometry([LayerGeometry(**layer) for layer in stored["layers"]])
    rows = [
        (s.kind, s.stage, s.n, _spread(s.saturation_mean, s.saturation_std), _spread(s.width_mean, s.width_std))
        for s in stages
    ]
    return table(("kind", "stage", "layers", "S", "W"), rows)


def coefficients_part(tag: PretrainedTag) -> dict[str, str]:
    """`where` they were taken and their `table`; empty where nothing is stored."""
    stored = tag.results.get("coefficients")
    if not stored:
        return {}
    layers = [LayerCoefficients(**layer) for layer in stored["layers"]]
    rows = [(code(one.layer), one.channels, *_cells(one.vertical), *_cells(one.horizontal)) for one in layers]
    where = f"{title_of(stored['dataset'])} ({stored['split'] or 'all'}, {stored['n']:,})"
    return {"where": where, "table": table(_HEAD, rows)}


def _spread(mean: float, std: float | None) -> str:
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"


def _cells(found: Mapping[str, float]) -> tuple[Any, ...]:
    spread = f"{number(found['p5'], 3)} to {number(found['p95'], 3)}"
    return number(found["median"], 3), spread, number(found["within"], 3)

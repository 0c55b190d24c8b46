"""The same conversion again, from its report: for a fresh model that is to receive converted weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from zoo.conversion.bert import MODEL_TYPE, fles_bert, is_convertible_bert
from zoo.conversion.conversion_report import ConvertedSite, Report
from zoo.conversion.folding import fold
from zoo.conversion.origin import AFFINE
from zoo.conversion.replace_modules import leave_fast_paths
from zoo.conversion.site_module import module_for, put_at, settled
from zoo.conversion.slots import Slot, find_slots
from zoo.conversion.target import Target
from zoo.errors import ConfigurationError


def rebuild(model: nn.Module, report: Report | Mapping[str, Any]) -> nn.Module:
    """Convert `model` as a report says, without an example; the counterpart of saving a converted model.

        model = zoo.conversion.rebuild(timm.create_model("resnet18"), report)
        model.load_state_dict(weights)

    Args:
        model: the base model, built as it was before it was converted. It is changed, unless it is a BERT, whose FleS
            twin is a new model.
        report: what `convert` returned, or its `to_dict()`.

    Returns:
        The model with fresh modules at every site.

    Raises:
        ConfigurationError: the model does not hold at each site what the report names; nothing was changed then.
    """
    said = report if isinstance(report, Report) else Report.from_dict(report)
    if said.model_type == MODEL_TYPE:
        if not is_convertible_bert(model):
            raise ConfigurationError(
                f"The report is of a {said.model}; the model to rebuild is a {type(model).__name__}."
            )
        return fles_bert(model, Target(said.to, said.arguments), said.sites[0].steepness)
    slots = {slot.path: slot for slot in find_slots(model)}
    wrong = [line for site in said.sites if (line := _mismatch(site, slots))]
    if wrong:
        raise ConfigurationError(
            f"{type(model).__name__} is not the model of the report ({said.model}, {len(said.sites)} sites):\n  "
            + "\n  ".join(wrong)
        )
    modules = [settled(slots[site.path], module_for(site, _target(said, site)), model) for site in said.sites]
    layers = [fold(slots[site.folded].module, slots[site.path].module) if site.folded else None for site in said.sites]
    for site, module, layer in zip(said.sites, modules, layers, strict=True):
        put_at(slots[site.path], site, module)
        if site.folded and layer is not None:
            slots[site.folded].put(layer)
    leave_fast_paths(model, [slots[site.path] for site in said.sites])
    return model


def _target(said: Report, site: ConvertedSite) -> Target:
    """The target of one site: that of the report, or, where the conversion chose (a, b) for each, the site's own."""
    if site.pair is None:
        return Target(said.to, said.arguments)
    return Target(site.became, dict(zip(("a", "b"), site.pair, strict=True)))


def _mismatch(site: ConvertedSite, slots: Mapping[str, Slot]) -> str | None:
    slot = slots.get(site.path)
    if slot is None:
        return f"{site.path}: the report has {site.was}, the model has nothing there"
    if site.folded is not None and not isinstance(getattr(slots.get(site.folded), "module", None), AFFINE):
        return f"{site.folded}: the report has the layer before {site.path}, the model has no such layer there"
    found = type(slot.module).__name__
    return f"{site.path}: the report has {site.was}, the model has {found}" if found != site.was else None

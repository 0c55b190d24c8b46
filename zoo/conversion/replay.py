"""The same conversion again, from its report: for a fresh model that is to receive converted weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from zoo.conversion.bert import MODEL_TYPE, fles_bert, is_convertible_bert
from zoo.conversion.conversion_plan import settle, with_activation
from zoo.conversion.conversion_report import ConvertedSite, Report
from zoo.conversion.replace_modules import leave_fast_paths
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
    target = Target(said.to, said.arguments)
    if said.model_type == MODEL_TYPE:
        if not is_convertible_bert(model):
            raise ConfigurationError(
                f"The report is of a {said.model}; the model to rebuild is a {type(model).__name__}."
            )
        return fles_bert(model, target, said.sites[0].steepness)
    slots = {slot.path: slot for slot in find_slots(model)}
    wrong = [line for site in said.sites if (line := _mismatch(site, slots.get(site.path)))]
    if wrong:
        raise ConfigurationError(
            f"{type(model).__name__} is not the model of the report ({said.model}, {len(said.sites)} sites):\n  "
            + "\n  ".join(wrong)
        )
    chosen = [(slots[site.path], _module(site, slots[site.path], target, model)) for site in said.sites]
    for slot, module in chosen:
        slot.put(module)
    leave_fast_paths(model, [slot for slot, _ in chosen])
    return model


def _mismatch(site: ConvertedSite, slot: Slot | None) -> str | None:
    if slot is None:
        return f"{site.path}: the report has {site.was}, the model has nothing there"
    found = type(slot.module).__name__
    return f"{site.path}: the report has {site.was}, the model has {found}" if found != site.was else None


def _module(site: ConvertedSite, slot: Slot, target: Target, model: nn.Module) -> nn.Module:
    axis = -1 if site.channel_axis is None else site.channel_axis
    module = target.make(site.num_features, axis, site.steepness)
    return settle(slot, with_activation(slot.module, module) if target.replaces_norms else module, [], model)

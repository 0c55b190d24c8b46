"""`convert`: a model with other activations, or with other modules where it normalised."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from zoo.conversion.bert import convert_bert, is_convertible_bert
from zoo.conversion.choose import Kinds, choose_slots, make_wish
from zoo.conversion.conversion_plan import Axis, ConversionPlan, SlotSetting, check_axis, check_axis_patterns, plan_site
from zoo.conversion.conversion_report import Left, Report
from zoo.conversion.example import batch_size, make_example
from zoo.conversion.outcome import called_as_functions, compare, parameter_count, warnings_for
from zoo.conversion.probe import Trace, run_probe
from zoo.conversion.replace_modules import place, verify
from zoo.conversion.replaceable import activation_kind, norm_kind
from zoo.conversion.slots import Slot, ancestors
from zoo.conversion.target import Target
from zoo.errors import ConfigurationError, ZooError


def convert(
    model: nn.Module,
    to: str = "fles",
    *,
    of: Kinds = None,
    include: str | Iterable[str] = "*",
    exclude: str | Iterable[str] = (),
    example: Any = None,
    channel_axis: Axis = None,
    inplace: bool = False,
    partial: bool = False,
    ignore_padding: bool = False,
    **kwargs: Any,
) -> tuple[nn.Module, Report]:
    """Replace every activation of a model by another gate, or every norm layer by SALU, DyT or Derf.

    `model, report = zoo.convert(model, to="fles")`. Where SiLU stood, a fresh FleS (κ_ve = κ_ho = 1) computes the same
    bits, so the outputs do not change until it is trained; where GELU stood (κ_ho = 1.702) they change a little; where
    ReLU, ReLU6 or Hardswish stood they change more; and a norm replacement keeps nothing: such a model must be trained.
    The report says it for each site, and for the outputs on the example.

    An example pass finds the number of channels, their axis, and activations that are called as functions (`F.gelu`);
    those stay and are listed in `report.left`. Compositions such as `x * torch.sigmoid(x)` and `x.clamp(min=0)` are not
    recognised. Every site gets parameters of its own, also where one module object stood at several places. Hooks that
    you registered on a replaced module go with it.

    transformers' BertModel and BertForSequenceClassification become the `fles_bert` model of the same kind, whose FleS
    is told which tokens are padding. Other transformers models with an attention mask are refused for targets that
    average over positions, unless `ignore_padding`; masks in other code are not seen.

    Args:
        model: any module: of the zoo, of timm, of transformers, your own. Convert before `torch.compile` and DDP.
        to: a gate of `zoo.activations.gates.list_gates()`, or "salu", "dyt", "derf" for the norm layers.
        of: kinds to replace ("gelu" covers its three forms) or module classes; None for SiLU, GELU, ReLU, ReLU6 and
            Hardswish, or for every norm layer.
        include: shell-style patterns of module names; `*` goes across dots.
        exclude: patterns of names to leave out.
        example: what the example pass runs on, with axis 0 as the batch: a tensor, a tuple of positional or a dict of
            keyword arguments. None makes two samples for models that say what they take.
        channel_axis: instead of what the pass found: 1 for (n, c, h, w), -1 for tokens, or a mapping pattern -> axis;
            the first pattern that fits counts.
        inplace: change `model` itself, unless anything fails; otherwise it is copied and stays as it is.
        partial: leave sites that cannot become the target as they are, and say so in the report, instead of failing.
        ignore_padding: convert models with an attention mask although padding will change their results.
        **kwargs: for the target's constructor at every site, such as `steepness`, `hidden` or `a`, `b`. Without
            `steepness`, FleS starts at `zoo.conversion.STEEPNESS` for what stood there.

    Returns:
        The converted model, in the mode, number type and on the device it had, and the report.

    Raises:
        UnknownNameError: no such target.
        ConfigurationError: arguments that do not fit, no example, no site, or sites that cannot become the target, each
            named with the reason.

    Source: ours; the starts follow from the definition of FleS.
    """
    target = Target(to, kwargs)
    wish = make_wish(target, of, include, exclude)
    check_axis(channel_axis, target)
    _check_model(model)
    given = make_example(model) if example is None else example
    if is_convertible_bert(model) and target.is_fles:
        return convert_bert(model, wish, given, inplace=inplace)
    if given is None and target.needs_channels and not target.replaces_norms:
        raise ConfigurationError(
            f"convert({type(model).__name__}, to={to!r}): an example pass must find the number of channels of each "
            "site, and this model does not say what it takes. Pass example=..., a batch of two or more."
        )
    work = model if inplace else _copy(model)
    setting = SlotSetting(work, wish, channel_axis, batch_size(given), ignore_padding)
    return work, _convert(setting, given, partial)


def _convert(setting: SlotSetting, example: Any, partial: bool) -> Report:
    """Probe, plan, place and check; the model is as it was if anything fails."""
    model, wish = setting.model, setting.wish
    chosen, left = choose_slots(model, wish)
    check_axis_patterns(setting.axis, [slot for slot, _ in chosen])
    trace = run_probe(model, example, [slot for slot, _ in chosen]) if example is not None else Trace()
    left += called_as_functions(trace, wish)
    plans, problems = _plans(chosen, trace, setting)
    _check_plans(setting, plans, problems, left, partial)
    counts = [parameter_count(model)]
    undo = place(model, plans)
    try:
        after = verify(model, example, plans) if example is not None else Trace()
    except ConfigurationError:
        undo()
        raise
    difference, scale = compare(trace.outputs, after.outputs)
    sites = tuple(plan.site for plan in plans)
    around = [ancestors(model, site.path) for site in sites]
    return Report(
        model=type(model).__name__,
        to=wish.target.name,
        arguments=dict(wish.target.arguments),
        sites=sites,
        left=tuple(left + problems),
        warnings=tuple(warnings_for(wish.target, sites, difference, around)),
        difference=difference,
        scale=scale,
        parameters=(counts[0], parameter_count(model)),
    )


def _plans(
    chosen: Sequence[tuple[Slot, str]], trace: Trace, setting: SlotSetting
) -> tuple[list[ConversionPlan], list[Left]]:
    plans, problems = [], []
    for slot, kind in chosen:
        try:
            plans.append(plan_site(slot, kind, trace.calls[slot], setting))
        except ZooError as error:
            problems.append(Left(slot.path, type(slot.module).__name__, str(error), "problem"))
    return plans, problems


def _check_plans(
    setting: SlotSetting, plans: Sequence[ConversionPlan], problems: Sequence[Left], left: Sequence[Left], partial: bool
) -> None:
    name, to = type(setting.model).__name__, setting.wish.target.name
    if problems and not (partial and plans):
        reasons = {entry.reason: [e for e in problems if e.reason == entry.reason] for entry in problems}
        raise ConfigurationError(
            f"{len(problems)} of {len(plans) + len(problems)} sites of {name} cannot become {to}:\n  "
            + "\n  ".join(
                f"{', '.join(e.path for e in same)} ({same[0].what}): {why}." for why, same in reasons.items()
            )
            + "\nName them in exclude=..., or pass partial=True to leave them as they are."
        )
    if not plans:
        what = "norm layer" if setting.wish.target.replaces_norms else "activation"
        others = "".join(f"\n  {entry.path or name} ({entry.what}): {entry.reason}" for entry in left)
        raise ConfigurationError(
            f"{name} has no {what} that could become {to}.{others or ' Nothing like one was found.'}"
        )


def _check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise ConfigurationError(f"convert takes a torch.nn.Module, not {type(model).__name__}: build the model first.")
    name = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
        raise ConfigurationError(f"{name} is compiled already; convert the model it was made from, then compile that.")
    if activation_kind(model) is not None or norm_kind(model) is not None:
        raise ConfigurationError(f"The model itself is a {name}; build the module that shall replace it instead.")


def _copy(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise ConfigurationError(
            f"{type(model).__name__} cannot be copied ({' '.join(str(error).split())[:200]}). Pass inplace=True to "
            "convert the model itself."
        ) from error
